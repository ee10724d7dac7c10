package daemon

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"rotd/daemon/npm"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// postStray tells what is known of a token that somebody found. It goes to no
// registry but one that a passcard is connected to.
func (d *Daemon) postStray(r *http.Request, st *store.Store, out *reply) error {
	var req ipc.FindStray
	if err := readBody(r, &req); err != nil {
		return err
	}
	if !d.inflight.begin() {
		return errStopping
	}
	defer d.inflight.end()
	ctx, cancel := d.until(r.Context())
	defer cancel()
	s, err := d.findStray(ctx, st, req.Registry, req.Value.Text)
	if err != nil {
		return err
	}
	answer := s.Stray
	if s.passcard != "" && answer.ROT == "" {
		err := d.withPasscard(ctx, st, s.passcard, nil, untold, func(acct npmAccount) error {
			t, err := s.find(ctx, acct)
			if err == nil {
				answer.Name, answer.Permission = t.Name, t.Permission
				answer.Created, answer.Expires = at(t.Created), at(t.Expires)
			}
			return err
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			answer.Untold = toWire(err)
		}
	}
	return out.json(answer)
}

func untold(string, string, string) {}

func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// stray is a token, and who may do something about it.
type stray struct {
	ipc.Stray
	value    secret.Text
	passcard string          // the id of its user's; "": there is none
	direct   registryAccount // nobody's account: it only asks about the value
}

// findStray asks whose a token is.
func (d *Daemon) findStray(ctx context.Context, st *store.Store, registry string, value secret.Text) (*stray, error) {
	address, err := npm.ParseRegistry(registry)
	if err != nil {
		return nil, err
	}
	all, err := st.Passcards(ctx)
	if err != nil {
		return nil, err
	}
	s, known := &stray{value: value}, false
	for _, p := range all {
		known = known || p.Registry == address
	}
	if !known || registry == "" {
		return nil, badRequest("no account at "+address+" is connected, so no token is shown there", "rot connect npm --registry "+address)
	}
	if s.ROT, err = rotWith(ctx, st, address, value); err != nil {
		return nil, err
	}
	if s.direct, err = d.registry(npm.Config{Registry: address}, nil, presence{}); err != nil {
		return nil, err
	}
	if s.Username, s.Accepted, err = s.direct.Holder(ctx, value); err != nil {
		return nil, err
	}
	for _, p := range all {
		if s.Accepted && p.Registry == address && strings.EqualFold(p.Username, s.Username) {
			s.passcard, s.Passcard = p.ID, passcardRef(p.ID)
		}
	}
	return s, nil
}

// rotWith is the ROT that serves a value, or served it and may still be revoking
// it; "" is none.
func rotWith(ctx context.Context, st *store.Store, registry string, value secret.Text) (string, error) {
	rots, err := st.ROTs(ctx)
	if err != nil {
		return "", err
	}
	for _, rot := range rots {
		generations, err := st.Generations(ctx, rot.ID)
		if err != nil {
			return "", err
		}
		for _, g := range generations {
			v, err := st.Value(ctx, rot.ID, g.N)
			if err == nil && v.Equal(value) {
				return rotRef(rot.ID), nil
			}
			if err != nil && !errors.Is(err, store.ErrNoValue) {
				return "", err
			}
		}
	}
	return "", nil
}

// find looks the token up in its account's list.
func (s *stray) find(ctx context.Context, acct npmAccount) (npm.Found, error) {
	byList, ok := acct.(registryAccount)
	if !ok {
		return npm.Found{}, &ipc.Error{Code: ipc.CodeRefused, Message: "npm's pages do not tell which token has that value", Hint: "see the account's tokens on npm's website"}
	}
	t, ok, err := byList.Find(ctx, s.value)
	if err == nil && !ok {
		err = &ipc.Error{Code: ipc.CodeNotFound, Message: "the registry lists no token that is this one for certain", Hint: "see the account's tokens on npm's website"}
	}
	return t, err
}

// postStrayRevocation has a registry revoke a token that is no ROT's: by the
// account that it belongs to, and else by the token itself.
func (d *Daemon) postStrayRevocation(r *http.Request, st *store.Store, out *reply) error {
	var req ipc.RevokeStray
	if err := readBody(r, &req); err != nil {
		return err
	}
	found, err := d.findStray(r.Context(), st, req.Registry, req.Value.Text)
	switch {
	case err != nil:
		return err
	case found.ROT != "":
		return badRequest("it is a token of "+found.ROT, "rot rotate "+found.ROT+" --revoke-now replaces it, rot revoke "+found.ROT+" revokes it")
	}
	s := out.begin(r, &d.questions)
	if !d.inflight.begin() {
		return errStopping
	}
	defer d.inflight.end()
	var ask asker
	if req.Interactive {
		ask = s.ask
	}
	ctx, cancel := d.until(r.Context())
	defer cancel()
	if found.Accepted {
		if err := d.revokeStray(ctx, st, found, ask, s); err != nil {
			return err
		}
		d.note(ctx, store.LogEntry{Kind: store.LogRevoked, Passcard: found.passcard, UID: uidOf(r), Detail: "a token of " + found.Username + " that was no ROT's"})
	}
	found.Accepted = false
	s.send(ipc.Event{Result: &ipc.Result{Stray: &found.Stray}})
	return nil
}

// strayTries is how many seconds a registry has to come to refuse the token.
const strayTries = 5

// revokeStray ends when the registry refuses the token.
func (d *Daemon) revokeStray(ctx context.Context, st *store.Store, found *stray, ask asker, s *stream) error {
	err := errors.New("no account of its user is connected")
	if found.passcard != "" {
		err = d.withPasscard(ctx, st, found.passcard, ask, s.step, func(acct npmAccount) error {
			t, err := found.find(ctx, acct)
			if err != nil {
				return err
			}
			found.Name = t.Name
			s.step("", "revoking", "revoking "+t.Name)
			return acct.Revoke(ctx, t.Key)
		})
	}
	if err != nil && ctx.Err() == nil {
		s.step("", "revoking", "having the token end itself, as npm logout does")
		if gerr := found.direct.GiveUp(ctx, found.value); gerr != nil {
			return errors.Join(err, gerr)
		}
	}
	for range strayTries {
		accepted, err := found.direct.Accepts(ctx, found.value)
		if err != nil || !accepted {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
	return &ipc.Error{Code: ipc.CodeUnconfirmed, Message: "the registry has revoked the token, and takes it still", Hint: "npm may need an hour for that; ask again then"}
}
