package cmd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"rotd/ipc"
	"rotd/ipc/secret"
)

// readers ask for values without a pause and hold each against the registry.
// The zero value, with its ground, is ready.
type readers struct {
	g  *ground
	wg sync.WaitGroup

	mu      sync.Mutex
	read    int      // values that get answered
	away    int      // times that no daemon was there, or it was killed while it answered
	refused []string // values answered when the registry had refused them already
	none    []string // a daemon was there and answered no value
	back    []string // an older value after a newer one
	place   []string // a delivery's place held a value that the registry had refused already
}

// follow reads one ROT until ctx ends.
func (r *readers) follow(ctx context.Context, rot string) {
	r.wg.Go(func() {
		last := 0
		for ctx.Err() == nil {
			last = r.look(ctx, rot, last)
			time.Sleep(2 * time.Millisecond) // the daemon and the registry want some of the machine
		}
	})
}

// look reads once and returns the newest generation seen.
func (r *readers) look(ctx context.Context, rot string, last int) int {
	began := time.Now()
	tk, err := r.g.token(ctx, rot)
	var said *ipc.Error
	switch {
	case ctx.Err() != nil:
		return last
	case errors.As(err, &said):
		r.note(&r.none, fmt.Sprintf("%s: %s: %s", rot, said.Code, said.Message))
		return last
	case err != nil:
		r.mu.Lock()
		r.away++
		r.mu.Unlock()
		return last
	}
	r.mu.Lock()
	r.read++
	r.mu.Unlock()
	if tk.Generation < last {
		r.note(&r.back, fmt.Sprintf("%s: generation %d after %d", rot, tk.Generation, last))
	}
	if bad, why := r.isRefused(ctx, rot, tk.Value.Text, began); bad {
		r.note(&r.refused, fmt.Sprintf("%s: generation %d: %s", rot, tk.Generation, why))
	}
	return max(last, tk.Generation)
}

// watch reads the place that a delivery writes to, until ctx ends. What is in
// there must be good too.
func (r *readers) watch(ctx context.Context, path string) {
	r.wg.Go(func() {
		for ; ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
			value, err := os.ReadFile(path)
			if err != nil {
				continue // nothing was delivered yet
			}
			accepted, _, err := r.g.accepts(secret.New(string(value)))
			if err != nil || accepted {
				continue
			}
			if again, err := os.ReadFile(path); err == nil && bytes.Equal(again, value) {
				r.note(&r.place, fmt.Sprintf("at %v", time.Now().Format(time.StampMicro)))
			}
		}
	})
}

// isRefused reports whether get answered value when the registry refused it
// already. A value that was revoked between the reading and the question, as it
// is in every rotation, does not count: it does where the reading began after
// the revocation, or where get answers it still after the refusal.
func (r *readers) isRefused(ctx context.Context, rot string, value secret.Text, began time.Time) (bool, string) {
	accepted, revoked, err := r.g.accepts(value)
	switch {
	case err != nil:
		return false, "" // the registry itself was being restarted
	case accepted:
		return false, ""
	case revoked == nil:
		return true, "the registry never made it"
	case began.After(revoked.Add(2 * time.Millisecond)): // the sandbox counts milliseconds
		return true, fmt.Sprintf("it was read %v after its revocation", began.Sub(*revoked))
	}
	if again, err := r.g.token(ctx, rot); err == nil && again.Value.Equal(value) {
		return true, "it is answered still"
	}
	return false, ""
}

func (r *readers) note(list *[]string, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*list = append(*list, what)
}
