package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

func (d *Daemon) getVersion(_ *http.Request, _ *store.Store, out *reply) error {
	return out.json(ipc.Version{Version: ipc.BuildVersion, API: ipc.APIVersion})
}

func (d *Daemon) getStatus(r *http.Request, st *store.Store, out *reply) error {
	s := ipc.Status{
		Version:   ipc.BuildVersion,
		PID:       os.Getpid(),
		Started:   d.started.UTC(),
		StateDir:  d.cfg.StateDir,
		Key:       d.cfg.Key.String(),
		Locked:    st == nil,
		Passcards: []ipc.Passcard{},
		ROTs:      []ipc.ROT{},
	}
	if st != nil {
		var err error
		if s.Passcards, err = d.passcardViews(r.Context(), st); err != nil {
			return err
		}
		if s.ROTs, err = d.rotViews(r.Context(), st); err != nil {
			return err
		}
	}
	return out.json(s)
}

func (d *Daemon) getPasscards(r *http.Request, st *store.Store, out *reply) error {
	views, err := d.passcardViews(r.Context(), st)
	if err != nil {
		return err
	}
	return out.json(map[string]any{"passcards": views})
}

func (d *Daemon) getROTs(r *http.Request, st *store.Store, out *reply) error {
	views, err := d.rotViews(r.Context(), st)
	if err != nil {
		return err
	}
	return out.json(map[string]any{"rots": views})
}

// getToken serves a value. It reads one row and writes nothing. Whether a value
// that is past its expiry is dead is npm's to say: this machine's clock may be
// wrong, and the answer names the expiry.
func (d *Daemon) getToken(r *http.Request, st *store.Store, out *reply) error {
	if r.URL.RawQuery != "" && r.URL.Query().Has("lease") {
		return d.lease(r, st, out)
	}
	tok, err := d.tokenOf(r.Context(), st, out.may.rot)
	if err != nil {
		return err
	}
	d.noteRead(r, out.may, tok.Generation)
	return out.token(tok)
}

// tokenOf is the present value of a ROT.
func (d *Daemon) tokenOf(ctx context.Context, st *store.Store, id string) (ipc.Token, error) {
	g, value, err := st.Current(ctx, id)
	if errors.Is(err, store.ErrNoValue) {
		return ipc.Token{}, d.noValueYet(ctx, st, id)
	}
	if err != nil {
		return ipc.Token{}, err
	}
	return ipc.Token{
		ROT:             rotRef(id),
		Generation:      g.N,
		Value:           secret.Wire{Text: value},
		Expires:         timeOrNil(g.Expires),
		Registry:        g.Registry,
		DefaultRegistry: isDefaultRegistry(g.Registry),
	}, nil
}

// noValueYet says why a ROT serves nothing, or nothing any more.
func (d *Daemon) noValueYet(ctx context.Context, st *store.Store, id string) error {
	withdrawn, err := st.Withdrawn(ctx)
	if err != nil {
		return err
	}
	at, ok := withdrawn[id]
	if !ok {
		return noValue(id, "no rotation of it has succeeded yet")
	}
	return &ipc.Error{
		Code:    ipc.CodeNoValue,
		Message: fmt.Sprintf("%s has no value to serve: it was revoked on %s", rotRef(id), at.UTC().Format("2006-01-02 15:04 MST")),
		Hint:    "rot rotate " + rotRef(id) + " makes a new one",
	}
}

func noValue(rot, why string) error {
	return &ipc.Error{
		Code:    ipc.CodeNoValue,
		Message: fmt.Sprintf("%s has no value to serve: %s", rotRef(rot), why),
		Hint:    "rot status tells what is wrong; rot rotate " + rotRef(rot) + " tries again",
	}
}

// resolveROT finds the ROT that a reference names.
func resolveROT(ctx context.Context, st *store.Store, ref string) (string, error) {
	found, err := st.Resolve(ctx, ref)
	if err != nil {
		return "", err
	}
	if found.Kind == store.RefROT {
		return found.ID, nil
	}
	e := &ipc.Error{
		Code:    ipc.CodeNotFound,
		Message: fmt.Sprintf("%s is a passcard, and only a ROT has a value", passcardRef(found.ID)),
		Hint:    "rot ls shows the ROTs of each passcard",
	}
	rots, err := st.ROTsOf(ctx, found.ID)
	if err != nil {
		return "", err
	}
	switch len(rots) {
	case 0:
		e.Hint = "make its first ROT: rot rotate " + passcardRef(found.ID)
	case 1:
		e.Hint = "its ROT is " + rotRef(rots[0].ID)
	}
	return "", e
}
