package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/ipc/socket"
	"rotd/store"
)

// reading is a caller's leave to read the value of one ROT.
type reading struct {
	rot   string
	by    string // the right that it is by, for the log; "": his own
	token string // the id of the access token that was shown
}

// A caller who shows an access token reads what that was granted, and nothing
// else, whoever he is. Without one the owner reads everything, and others what
// their uid or one of their groups was granted. A ROT that he may not read and
// one that there is not answer the same. A uid that the user database does not
// know (any more) has nothing: it may be somebody else's tomorrow.

// mayRead finds the ROT that the path names, for a caller who may read its
// value. A refusal goes to the log with the ROT that it is about, where there is
// one.
func (d *Daemon) mayRead(r *http.Request, st *store.Store, path string) (reading, error) {
	p, ok := peerOf(r.Context())
	if !ok {
		return reading{}, errors.New("a reader nobody knows") // admit has seen to that
	}
	if !isOwner(p) {
		leave, err := d.visitors.take(r)
		if err != nil {
			return reading{}, err
		}
		defer leave()
	}
	may, err := d.read(r, st, p)
	var no *refusal
	if !errors.As(err, &no) {
		return may, err
	}
	rot := ""
	if no.err.RetryAfter == 0 { // who is shut out costs no more
		rot, _ = resolveROT(r.Context(), st, r.PathValue("ref"))
	}
	d.noteRefusal(r, rot, path, no.why, no.err)
	return reading{}, no.err
}

func (d *Daemon) read(r *http.Request, st *store.Store, p socket.Peer) (reading, error) {
	ref := r.PathValue("ref")
	if header := r.Header.Get("Authorization"); header != "" {
		return d.readWithToken(r.Context(), st, p, ref, header)
	}
	if isOwner(p) {
		id, err := resolveROT(r.Context(), st, ref)
		return reading{rot: id}, err
	}
	if err := d.shutOut(p); err != nil {
		return reading{}, err
	}
	of, known := d.users.of(p.UID)
	if !known {
		return reading{}, &refusal{err: &ipc.Error{
			Code:    ipc.CodeNotAllowed,
			Message: fmt.Sprintf("uid %d is no user of this machine, and may not read %s", p.UID, shownRef(ref)),
			Hint:    fmt.Sprintf("an access token would do: uid %d can make one: rot grant %s --access-token NAME", os.Getuid(), grantRef(ref)),
		}, why: ", of no user of this machine"}
	}
	rots, err := st.ReadableBy(r.Context(), subjects(p.UID, p.GID, of)...)
	if err != nil {
		return reading{}, err
	}
	if id, ok := store.Among(rots, ref); ok {
		return reading{rot: id}, nil
	}
	return reading{}, &refusal{err: &ipc.Error{
		Code:    ipc.CodeNotAllowed,
		Message: fmt.Sprintf("uid %d (%s) may not read %s", p.UID, of.name, shownRef(ref)),
		Hint:    fmt.Sprintf("uid %d, who runs rotd, can allow it: rot grant %s --uid %d", os.Getuid(), grantRef(ref), p.UID),
	}}
}

// readWithToken is read for a caller who shows an access token.
func (d *Daemon) readWithToken(ctx context.Context, st *store.Store, p socket.Peer, ref, header string) (reading, error) {
	if err := d.shutOut(p); err != nil {
		return reading{}, err
	}
	now := d.cfg.Now()
	scheme, text, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") || !isAccessToken(text) {
		return reading{}, d.wrongToken(p, now)
	}
	token, rots, err := st.ReadableWith(ctx, accessHash(secret.New(text)))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return reading{}, d.wrongToken(p, now)
	case err != nil:
		return reading{}, err
	case !token.Expires.IsZero() && !now.Before(token.Expires):
		return reading{}, &refusal{err: &ipc.Error{
			Code:    ipc.CodeNotAllowed,
			Message: fmt.Sprintf("the access token %s expired on %s", token.Name, token.Expires.Format(time.DateOnly)),
			Hint:    fmt.Sprintf("uid %d, who runs rotd, can make another: rot grant %s --access-token NAME", os.Getuid(), grantRef(ref)),
		}, why: ", with access token " + token.Name + ", expired"}
	}
	by := "access token " + token.Name
	if id, ok := store.Among(rots, ref); ok {
		return reading{rot: id, by: by, token: token.ID}, nil
	}
	return reading{}, &refusal{err: &ipc.Error{
		Code:    ipc.CodeNotAllowed,
		Message: fmt.Sprintf("the access token %s may not read %s", token.Name, shownRef(ref)),
		Hint:    fmt.Sprintf("uid %d, who runs rotd, can allow it: rot grant %s --access-token %s", os.Getuid(), grantRef(ref), token.Name),
	}, why: ", with " + by}
}

// refusal is a no at the door, and what the log says of it beside the path.
type refusal struct {
	err *ipc.Error
	why string
}

func (e *refusal) Error() string { return e.err.Error() }

func (d *Daemon) wrongToken(p socket.Peer, now time.Time) error {
	d.strikes.add(p.UID, now)
	return &refusal{err: &ipc.Error{
		Code:    ipc.CodeNotAllowed,
		Message: fmt.Sprintf("uid %d showed an access token that rotd does not know", p.UID),
		Hint:    "see that it is whole, rat_ and 33 characters, in ROT_ACCESS_TOKEN or the file; rot grant REF --access-token NAME makes one",
	}, why: ", with a wrong access token"}
}

// shutOut refuses a uid that guesses access tokens. What the owner does without
// one is no guess.
func (d *Daemon) shutOut(p socket.Peer) error {
	left := d.strikes.left(p.UID, d.cfg.Now())
	if left == 0 {
		return nil
	}
	seconds := int((left + time.Second - 1) / time.Second)
	return &refusal{err: &ipc.Error{
		Code:       ipc.CodeNotAllowed,
		Message:    fmt.Sprintf("uid %d is shut out: it showed %d wrong access tokens within a minute", p.UID, maxStrikes),
		Hint:       fmt.Sprintf("try again in %d s, with the right one", seconds),
		RetryAfter: seconds,
	}, why: ", shut out"}
}

// plainRef is a reference that can stand in a message as it is. Anything else
// may be a token in the wrong place.
var plainRef = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func isPlainRef(ref string) bool {
	return plainRef.MatchString(ref) && !strings.HasPrefix(ref, "npm_") && !strings.HasPrefix(ref, accessPrefix)
}

func shownRef(ref string) string {
	if isPlainRef(ref) {
		return ref
	}
	return "this"
}

func grantRef(ref string) string {
	if isPlainRef(ref) {
		return ref
	}
	return "REF"
}
