package daemon

import (
	"errors"
	"fmt"
	"net/http"
	userdb "os/user"
	"regexp"
	"strconv"
	"strings"
	"time"

	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

func (d *Daemon) getGrants(r *http.Request, st *store.Store, out *reply) error {
	rot, err := rotOf(r, st)
	if err != nil {
		return err
	}
	all, err := st.Grants(r.Context(), rot.ID)
	if err != nil {
		return err
	}
	views := make([]ipc.Grant, 0, len(all))
	for _, g := range all {
		views = append(views, grantView(g))
	}
	return out.json(map[string]any{"grants": views})
}

// postGrant lets somebody read a ROT. Of a new access token the answer is the
// only place where its text ever stands.
func (d *Daemon) postGrant(r *http.Request, st *store.Store, out *reply) error {
	var req ipc.GrantTo
	if err := readBody(r, &req); err != nil {
		return err
	}
	rot, err := rotOf(r, st)
	if err != nil {
		return err
	}
	if req.Kind == ipc.GrantAccessToken {
		return d.grantToken(r, st, rot.ID, req, out)
	}
	if req.Expires != "" {
		return badRequest("only an access token expires", "take any other grant back when it is time: rot ungrant")
	}
	subject, err := findGrantee(req.Kind, req.Subject)
	if err != nil {
		return err
	}
	g, err := st.AddGrant(r.Context(), store.Grant{ROT: rot.ID, Kind: req.Kind, Subject: subject}, uidOf(r))
	if err != nil {
		return err
	}
	view := grantView(g)
	view.Warning = d.unreachable(g)
	return out.json(view)
}

func (d *Daemon) grantToken(r *http.Request, st *store.Store, rot string, req ipc.GrantTo, out *reply) error {
	if err := store.ValidName(req.Subject); err != nil {
		return badRequest(err.Error(), store.HintOf(err))
	}
	life, err := parseSpan("--expires", req.Expires)
	if err != nil {
		return err
	}
	var expires time.Time
	if life > 0 {
		expires = d.cfg.Now().Add(life)
	}
	text := newAccessToken()
	g, made, err := st.AddTokenGrant(r.Context(), rot, req.Subject, accessHash(text), expires, uidOf(r))
	if err != nil {
		return err
	}
	view := grantView(g)
	if made {
		view.AccessToken = secret.Wire{Text: text}
	}
	view.Warning = d.unreachable(g)
	return out.json(view)
}

// deleteGrant takes a grant back: KIND:SUBJECT, as it was given or as it is
// listed.
func (d *Daemon) deleteGrant(r *http.Request, st *store.Store, out *reply) error {
	rot, err := rotOf(r, st)
	if err != nil {
		return err
	}
	kind, subject, _ := strings.Cut(r.PathValue("id"), ":")
	if found, err := findGrantee(kind, subject); err == nil {
		subject = found
	} // else he may be gone, and his grant is not
	err = st.RemoveGrant(r.Context(), rot.ID, kind, subject, uidOf(r))
	if errors.Is(err, store.ErrNotFound) {
		return &ipc.Error{
			Code:    ipc.CodeNotFound,
			Message: fmt.Sprintf("%s is not granted to %s %q", rotRef(rot.ID), kind, subject),
			Hint:    "rot grants " + rotRef(rot.ID) + " lists to whom it is",
		}
	}
	if err != nil {
		return err
	}
	return out.noContent()
}

func grantView(g store.Grant) ipc.Grant {
	return ipc.Grant{
		ID: g.Kind + ":" + g.Subject, Kind: g.Kind, Subject: g.Subject, Name: granteeName(g), Created: g.Created,
		Expires: timeOrNil(g.Token.Expires), Used: timeOrNil(g.Token.Used),
	}
}

// granteeName is what the user database calls a uid or gid.
func granteeName(g store.Grant) string {
	switch g.Kind {
	case store.GrantUID:
		if u, err := userdb.LookupId(g.Subject); err == nil {
			return u.Username
		}
	case store.GrantGID:
		if g, err := userdb.LookupGroupId(g.Subject); err == nil {
			return g.Name
		}
	}
	return ""
}

var unitName = regexp.MustCompile(`^[A-Za-z0-9:_.\\@-]{1,248}$`)

// findGrantee spells a grantee as the store keeps him. A user or a group must
// be there: a number that nobody has now may be anybody's tomorrow.
func findGrantee(kind, subject string) (string, error) {
	_, nerr := strconv.ParseUint(subject, 10, 32)
	isNumber := nerr == nil
	switch kind {
	case ipc.GrantUID:
		look := userdb.Lookup
		if isNumber {
			look = userdb.LookupId
		}
		u, err := look(subject)
		if err != nil {
			return "", badRequest(fmt.Sprintf("there is no user %q on this machine", subject), "who is not of this machine, as a job in a container, shows an access token: rot grant REF --access-token NAME")
		}
		return u.Uid, notAnybodys(u.Uid)
	case ipc.GrantGID:
		look := userdb.LookupGroup
		if isNumber {
			look = userdb.LookupGroupId
		}
		g, err := look(subject)
		if err != nil {
			return "", badRequest(fmt.Sprintf("there is no group %q on this machine", subject), "getent group lists them")
		}
		return g.Gid, notAnybodys(g.Gid)
	case ipc.GrantUnit:
		if !unitName.MatchString(subject) {
			return "", badRequest(fmt.Sprintf("%q is no name of a systemd unit", subject), "as in: rot grant REF --unit publish.service")
		}
		if !strings.Contains(subject, ".") {
			subject += ".service" // as systemctl takes it
		}
		return subject, nil
	case ipc.GrantAccessToken:
		return subject, nil
	}
	return "", badRequest(fmt.Sprintf("there is no grant to a %q", kind), "kinds are uid, gid, access-token and unit")
}

func notAnybodys(id string) error {
	if id != number(anybodysID) {
		return nil
	}
	return badRequest(id+" stands for everybody whom this machine has no number for", "grant it to a user or a group of its own")
}

// unreachable says why a grantee cannot use the grant as things are; "": he can,
// or nobody knows.
func (d *Daemon) unreachable(g store.Grant) string {
	var gids []uint32
	uid := noID
	switch g.Kind {
	case store.GrantUnit:
		if d.cfg.CredentialSocket == "" {
			return "units are served at a socket of their own, and this rotd has none: rotd run --credential-socket PATH"
		}
		return ""
	case store.GrantUID:
		n, _ := strconv.ParseUint(g.Subject, 10, 32)
		uid = int64(n)
		if of, ok := d.users.of(uint32(n)); ok {
			gids = of.groups
		}
	case store.GrantGID:
		n, _ := strconv.ParseUint(g.Subject, 10, 32)
		gids = []uint32{uint32(n)}
	}
	closed := closedTo(d.cfg.Socket, uid, gids, g.Kind == store.GrantToken)
	if closed == "" {
		return ""
	}
	who := "others"
	if g.Kind != store.GrantToken {
		who = g.Kind + " " + g.Subject
	}
	return fmt.Sprintf("%s is closed to %s, who cannot reach rotd so: run rotd with --socket-group GROUP, and with a --socket in a directory that this group reaches", closed, who)
}
