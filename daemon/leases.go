package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"rotd/ipc"
	"rotd/store"
)

// A reader that keeps its connection has a lease: once its value is replaced,
// that is not revoked before the reader is done, or had its time. The kernel says
// when: the connection ends with the last process that holds it.
//
// A lease does not outlive the daemon, but a mark in the state directory does,
// one for each value that has readers. The next daemon waits a moment for these
// to come back.

const (
	// leasesPerUID is the most that one user has, and half of the connections the
	// most that all have: who comes then gets the value, and no lease.
	leasesPerUID = 128
	// leaseReturn is how long a new daemon waits for the readers of the one before.
	leaseReturn = 15 * time.Second
	// leaseBeat is how often a reader is sent a line end, which shows who has gone
	// without a sign.
	leaseBeat = time.Minute
	// DefaultReaderTime is how long a replaced value is kept for its readers.
	DefaultReaderTime = time.Hour
)

// leased is a value that readers have.
type leased struct {
	rot string
	n   int
}

// leases are the readers that are not done yet.
type leases struct {
	most  int    // in all
	dir   string // of the marks
	log   *slog.Logger
	freed func(rot string) // called when an old value that was asked for by of has no readers any more
	uids  counts

	mu    sync.Mutex
	held  map[leased]int
	all   int
	lost  map[leased]bool // marked by an earlier daemon
	asked map[leased]bool // of has said that there are some
}

// newLeases reads the marks of an earlier daemon.
func newLeases(dir string, most int, log *slog.Logger, freed func(rot string)) *leases {
	l := &leases{dir: dir, most: most, log: log, freed: freed, held: map[leased]int{}, lost: map[leased]bool{}, asked: map[leased]bool{}}
	marks, _ := os.ReadDir(dir)
	for _, m := range marks {
		rot, number, _ := strings.Cut(m.Name(), ".")
		if n, err := strconv.Atoi(number); err == nil {
			l.lost[leased{rot, n}] = true
		}
	}
	if len(l.lost) > 0 {
		time.AfterFunc(leaseReturn, l.forgetLost)
	}
	return l
}

// forgetLost gives up the readers that have not come back.
func (l *leases) forgetLost() {
	l.mu.Lock()
	lost := l.lost
	l.lost = nil
	l.mu.Unlock()
	for v := range lost {
		l.settle(v, true)
	}
}

func (l *leases) mark(v leased) string {
	return filepath.Join(l.dir, v.rot+"."+strconv.Itoa(v.n))
}

// take adds a reader of a value until release is called, with stopping where the
// daemon ends before the reader does. It tells false where there are too many.
func (l *leases) take(r *http.Request, v leased) (release func(stopping bool), ok bool) {
	done, err := l.uids.add(r, leasesPerUID, "")
	if err != nil {
		return nil, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= l.most {
		done()
		return nil, false
	}
	l.all++
	if l.held[v]++; l.held[v] == 1 && !l.lost[v] {
		// Not written through: it has to survive this process, not the machine.
		err := os.MkdirAll(l.dir, 0o700)
		if err == nil {
			err = os.WriteFile(l.mark(v), nil, 0o600)
		}
		if err != nil {
			l.log.Warn("a restart would lose the readers of a value", "rot", v.rot, "generation", v.n, "err", err)
		}
	}
	return func(stopping bool) {
		done()
		l.mu.Lock()
		l.all--
		if l.held[v]--; l.held[v] == 0 {
			delete(l.held, v)
		}
		l.mu.Unlock()
		l.settle(v, !stopping)
	}, true
}

// settle does what is to be done where a value has no readers left.
func (l *leases) settle(v leased, unmark bool) {
	l.mu.Lock()
	free := l.held[v] == 0 && !l.lost[v]
	if free && unmark {
		_ = os.Remove(l.mark(v))
	}
	tell := free && l.asked[v]
	if tell {
		delete(l.asked, v)
	}
	l.mu.Unlock()
	if tell {
		l.freed(v.rot)
	}
}

// of counts the readers of a value, and has freed called when they are done.
func (l *leases) of(rot string, n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := leased{rot, n}
	count := l.countLocked(v)
	if count > 0 {
		l.asked[v] = true
	}
	return count
}

// count is of for whoever only looks.
func (l *leases) count(v leased) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.countLocked(v)
}

// countLocked takes those of an earlier daemon, who may come back, for one.
func (l *leases) countLocked(v leased) int {
	if l.lost[v] {
		return max(1, l.held[v])
	}
	return l.held[v]
}

// lease serves a value, as getToken does, to a reader that keeps its connection.
// With a number of a generation in the request it takes that one up again, and
// the answer has no value.
func (d *Daemon) lease(r *http.Request, st *store.Store, out *reply) error {
	tok, release, err := d.leaseOf(r, st, out.may)
	if err != nil {
		return err
	}
	if release == nil {
		return out.token(tok)
	}
	stopping := false
	defer func() { release(stopping) }()
	tok.Lease = true
	if err := out.token(tok); err != nil {
		return err
	}
	control := http.NewResponseController(out.w)
	beat := time.NewTicker(leaseBeat)
	defer beat.Stop()
	for control.Flush() == nil {
		select {
		case <-r.Context().Done():
			return nil
		case <-d.stop.Done():
			stopping = true
			return nil
		case <-beat.C:
			if _, err := out.w.Write([]byte("\n")); err != nil {
				return nil
			}
		}
	}
	return nil
}

// leaseOf is the answer to a reader, and his lease, nil where there is no room
// for one.
func (d *Daemon) leaseOf(r *http.Request, st *store.Store, may reading) (tok ipc.Token, release func(bool), err error) {
	ctx, id := r.Context(), may.rot
	if number := r.URL.Query().Get("generation"); number != "" {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			return tok, nil, badRequest(fmt.Sprintf("generation %q is not a number", number), "it is that of the value whose lease goes on")
		}
		release, ok := d.leases.take(r, leased{id, n})
		if !ok {
			return tok, nil, &ipc.Error{Code: ipc.CodeBusy, Message: "there are too many readers", Hint: "try again"}
		}
		// Looked up when it is taken, so that it is not revoked in between.
		if err := d.isAlive(ctx, st, id, n); err != nil {
			release(false)
			return tok, nil, err
		}
		return ipc.Token{ROT: rotRef(id), Generation: n}, release, nil
	}
	for {
		tok, err = d.tokenOf(ctx, st, id)
		if err != nil {
			return tok, nil, err
		}
		release, ok := d.leases.take(r, leased{id, tok.Generation})
		if !ok {
			d.noteRead(r, may, tok.Generation)
			return tok, nil, nil
		}
		// One that was replaced before the lease was there may be gone.
		now, _, err := st.Current(ctx, id)
		if err == nil && now.N == tok.Generation {
			d.noteRead(r, may, tok.Generation)
			return tok, release, nil
		}
		release(false)
	}
}

// isAlive says no where a generation is neither served nor kept.
func (d *Daemon) isAlive(ctx context.Context, st *store.Store, id string, n int) error {
	live, err := st.Generations(ctx, id, store.StepCurrent, store.StepRetiring)
	if err != nil {
		return err
	}
	for _, g := range live {
		if g.N == n {
			return nil
		}
	}
	return &ipc.Error{Code: ipc.CodeNoValue, Message: fmt.Sprintf("generation %d of %s is revoked", n, rotRef(id)), Hint: "rot get has the present one"}
}
