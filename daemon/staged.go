package daemon

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"rotd/daemon/npm"
	"rotd/ipc"
	"rotd/store"
)

const (
	stagedTime   = 20 * time.Second // the registries have
	stagedAtOnce = 8                // questions to them
)

// getStaged asks the registries what waits for a person's approval: with each
// ROT that may write, as npm shows a token what that may write to.
func (d *Daemon) getStaged(r *http.Request, st *store.Store, out *reply) error {
	ctx, cancel := context.WithTimeout(r.Context(), stagedTime)
	defer cancel()
	rots, err := st.ROTs(ctx)
	if err != nil {
		return err
	}
	rots = slices.DeleteFunc(rots, func(r store.ROT) bool {
		return r.Current == 0 || r.Shape.Permission != ipc.PermissionWrite && r.Shape.Permission != ipc.PermissionStage
	})
	found := make([][]ipc.Staged, len(rots))
	var all sync.WaitGroup
	slots := make(chan struct{}, stagedAtOnce)
	for i, rot := range rots {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			found[i] = d.stagedFor(ctx, st, rot)
		})
	}
	all.Wait()
	staged := []ipc.Staged{}
	seen := make(map[string]bool)
	for _, v := range slices.Concat(found...) {
		if v.ID == "" || !seen[v.ID] { // else another ROT of the same account has told of it
			staged = append(staged, v)
		}
		seen[v.ID] = true
	}
	return out.json(map[string]any{"staged": staged})
}

// stagedFor is what one ROT is shown, or why it is shown nothing.
func (d *Daemon) stagedFor(ctx context.Context, st *store.Store, rot store.ROT) []ipc.Staged {
	var list []ipc.Staged
	tok, err := d.tokenOf(ctx, st, rot.ID)
	if err == nil {
		list, err = npm.Staged(ctx, tok.Registry, tok.Value.Text)
	}
	if err != nil {
		list = []ipc.Staged{{Error: toWire(err)}}
	}
	for i := range list {
		list[i].ROT, list[i].Registry = rotRef(rot.ID), tok.Registry
	}
	return list
}
