package daemon

import (
	"context"
	"os"
	"strconv"
	"time"

	"rotd/daemon/deliver"
	"rotd/ipc/secret"
	"rotd/store"
)

// courier runs the commands of deliveries, as the daemon's own user.
type courier struct {
	d  *Daemon
	st *store.Store
}

// Deliver implements rotate.Courier.
func (c courier) Deliver(ctx context.Context, dl store.Delivery, g store.Generation, value secret.Text) (string, error) {
	secrets, err := c.secrets(ctx, dl.ROT)
	if err != nil {
		return "", err
	}
	job := deliver.Job{
		Command: dl.Command,
		Stdin:   value,
		Env:     []string{"ROT_REF=" + rotRef(dl.ROT), "ROT_GENERATION=" + strconv.Itoa(g.N)},
		Dir:     c.d.cfg.StateDir,
		Secrets: secrets,
	}
	if !g.Expires.IsZero() {
		job.Env = append(job.Env, "ROT_EXPIRES="+g.Expires.UTC().Format(time.RFC3339))
	}
	if home, err := os.UserHomeDir(); err == nil && isDir(home) {
		job.Dir = home
	}
	return deliver.Run(ctx, job)
}

// secrets are what a command may not have printed: the values that npm takes,
// as it can ask for them, and what the ROT's passcard keeps.
func (c courier) secrets(ctx context.Context, rot string) (all []secret.Text, err error) {
	live, err := c.st.Live(ctx)
	if err != nil {
		return nil, err
	}
	for id, generations := range live {
		for _, g := range generations {
			if v, err := c.st.Value(ctx, id, g.N); err == nil {
				all = append(all, v) // one that is gone by now is dead
			}
		}
	}
	r, err := c.st.ROT(ctx, rot)
	if err != nil {
		return nil, err
	}
	kinds, err := c.st.Kinds(ctx, r.Passcard)
	if err != nil {
		return nil, err
	}
	for _, kind := range kinds {
		v, err := c.st.Secret(ctx, r.Passcard, kind)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}
