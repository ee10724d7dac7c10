package daemon

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"rotd/daemon/npm"
	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/store"
)

func rotRef(id string) string      { return "rot://" + id }
func passcardRef(id string) string { return "rot://" + id }

func isDefaultRegistry(registry string) bool { return registry == npm.PublicRegistry() }

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// passcardViews is every passcard as the API shows it.
func (d *Daemon) passcardViews(ctx context.Context, st *store.Store) ([]ipc.Passcard, error) {
	passcards, err := st.Passcards(ctx)
	if err != nil {
		return nil, err
	}
	rots, err := st.ROTIDs(ctx)
	if err != nil {
		return nil, err
	}
	views := make([]ipc.Passcard, 0, len(passcards))
	for _, p := range passcards {
		kinds, err := st.Kinds(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		v := ipc.Passcard{
			Ref: passcardRef(p.ID), Name: p.Name, Registry: p.Registry, Username: p.Username,
			Via: p.Via, ROTs: []string{}, Created: p.Created.UTC(), Trouble: wireTrouble(p.Trouble),
		}
		if p.Via == ipc.ViaWebsite {
			v.Site = siteOf(p)
		}
		for _, id := range rots[p.ID] {
			v.ROTs = append(v.ROTs, rotRef(id))
		}
		for _, k := range kinds {
			if k == store.KindPassword || k == store.KindTOTP || k == store.KindPasskey {
				v.Remembered = append(v.Remembered, string(k))
			}
		}
		views = append(views, v)
	}
	return views, nil
}

// rotViews is every ROT as the API shows it.
func (d *Daemon) rotViews(ctx context.Context, st *store.Store) ([]ipc.ROT, error) {
	passcards, err := passcardsByID(ctx, st)
	if err != nil {
		return nil, err
	}
	rots, err := st.ROTs(ctx)
	if err != nil {
		return nil, err
	}
	live, err := st.Live(ctx)
	if err != nil {
		return nil, err
	}
	withdrawn, err := st.Withdrawn(ctx)
	if err != nil {
		return nil, err
	}
	deliveries, err := st.AllDeliveries(ctx)
	if err != nil {
		return nil, err
	}
	views := make([]ipc.ROT, 0, len(rots))
	for _, r := range rots {
		v := d.rotView(r, passcards[r.Passcard], live[r.ID], deliveries[r.ID])
		if _, ok := withdrawn[r.ID]; ok && v.State == ipc.StateEmpty {
			v.State = ipc.StateRevoked
		}
		views = append(views, v)
	}
	return views, nil
}

// fewROTs are so few that each is asked for by itself, in place of all.
const fewROTs = 64

// notableViews are the ROTs that are not simply well, and those being rotated, as
// the API shows them, where revoked ones are empty. Their number is the cost.
func (d *Daemon) notableViews(ctx context.Context, st *store.Store) ([]ipc.ROT, error) {
	ids, err := st.Notable(ctx, d.cfg.Now())
	if err != nil {
		return nil, err
	}
	ids = append(append(ids, d.running.all()...), d.settles.forPerson()...)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) > fewROTs {
		all, err := d.rotViews(ctx, st)
		return slices.DeleteFunc(all, func(v ipc.ROT) bool {
			_, found := slices.BinarySearch(ids, strings.TrimPrefix(v.Ref, rotRef("")))
			return !found
		}), err
	}
	passcards, err := passcardsByID(ctx, st)
	views := make([]ipc.ROT, 0, len(ids))
	for _, id := range ids {
		if err != nil {
			return nil, err
		}
		var r store.ROT
		var live []store.Generation
		var deliveries []store.Delivery
		if r, err = st.ROT(ctx, id); errors.Is(err, store.ErrNotFound) {
			err = nil // it was removed just now
			continue
		}
		if err == nil {
			live, err = st.Generations(ctx, id, store.StepCurrent, store.StepRetiring)
		}
		if err == nil {
			deliveries, err = st.Deliveries(ctx, id)
		}
		views = append(views, d.rotView(r, passcards[r.Passcard], live, deliveries))
	}
	return views, err
}

func passcardsByID(ctx context.Context, st *store.Store) (map[string]store.Passcard, error) {
	passcards, err := st.Passcards(ctx)
	byID := make(map[string]store.Passcard, len(passcards))
	for _, p := range passcards {
		byID[p.ID] = p
	}
	return byID, err
}

// rotView shows one ROT; live are its generations that are served or retiring.
func (d *Daemon) rotView(r store.ROT, p store.Passcard, live []store.Generation, deliveries []store.Delivery) ipc.ROT {
	v := ipc.ROT{
		Ref: rotRef(r.ID), Name: r.Name, Passcard: passcardRef(r.Passcard),
		Registry: p.Registry, Username: p.Username,
		Shape: ipc.Shape(r.Shape), Generation: r.Current,
		Next: timeOrNil(r.Next), LastAttempt: timeOrNil(r.LastAttempt),
	}
	for _, g := range live {
		switch {
		case g.Step == store.StepRetiring:
			v.Retiring++
			v.Readers += d.leases.count(leased{r.ID, g.N})
		case g.N == r.Current:
			v.TokenName, v.Created, v.Expires = g.TokenName, timeOrNil(g.Created), timeOrNil(rotate.Expiry(d.cfg.Now(), g))
		}
	}
	if v.LastError = wireTrouble(p.Trouble); v.LastError == nil {
		v.LastError = wireTrouble(r.Trouble)
	}
	if v.LastError == nil {
		if why := d.settles.waitsForPerson(r.ID); why != nil {
			of := *why
			of.Message = "its old token is not revoked yet: " + of.Message
			v.LastError = &of
		}
	}
	v.State = d.rotState(r, p, v)
	v.Schedule = wireSchedule(r.Schedule)
	v.ExpiresBeforeNext = v.Expires != nil && v.State != ipc.StateExpired && (v.Next == nil || v.Expires.Before(*v.Next))
	v.Deliveries = deliveryViews(deliveries, r.Current)
	if v.State == ipc.StateOK && anyFails(v.Deliveries) {
		v.State = ipc.StateUndelivered
	}
	v.Grace, v.GraceEnds = spanText(r.Grace), graceEnd(r, live)
	return v
}

// rotState sums a ROT up in one of the ipc.State words.
func (d *Daemon) rotState(r store.ROT, p store.Passcard, v ipc.ROT) string {
	switch {
	case d.running.has(r.ID):
		return ipc.StateRotating
	case p.Trouble.Code != "", v.LastError != nil && v.LastError.Code == ipc.CodeNeedsSignIn:
		return ipc.StateNeedsSignIn
	case v.LastError != nil && v.LastError.Code.Exit() == ipc.ExitPerson:
		return ipc.StateNeedsApproval
	case r.Current == 0:
		return ipc.StateEmpty
	case v.Expires != nil && !d.cfg.Now().Before(*v.Expires):
		return ipc.StateExpired
	case v.LastError != nil:
		return ipc.StateFailing
	}
	return ipc.StateOK
}

// runningROTs are the ROTs being rotated now. The zero value is ready.
type runningROTs struct {
	mu  sync.Mutex
	ids map[string]bool
}

// add notes a ROT until the returned function is called.
func (s *runningROTs) add(id string) (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids == nil {
		s.ids = make(map[string]bool)
	}
	s.ids[id] = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.ids, id)
	}
}

// all are the ids of all.
func (s *runningROTs) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.ids))
}

func (s *runningROTs) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids[id]
}
