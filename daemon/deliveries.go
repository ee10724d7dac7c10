package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/store"
)

func (d *Daemon) getDeliveries(r *http.Request, st *store.Store, out *reply) error {
	rot, err := rotOf(r, st)
	if err != nil {
		return err
	}
	all, err := st.Deliveries(r.Context(), rot.ID)
	if err != nil {
		return err
	}
	return out.json(map[string]any{"deliveries": deliveryViews(all, rot.Current)})
}

// postDelivery adds a delivery, or finds it, and makes it at once. One whose
// command fails is kept: it is tried again.
func (d *Daemon) postDelivery(r *http.Request, st *store.Store, out *reply) error {
	var req ipc.Deliver
	if err := readBody(r, &req); err != nil {
		return err
	}
	if len(req.Command) == 0 || req.Command[0] == "" {
		return badRequest("the delivery has no command", "its command is a list: the program, and its arguments")
	}
	rot, err := rotOf(r, st)
	if err != nil {
		return err
	}
	s := out.begin(r, &d.questions)
	if !d.inflight.begin() {
		return errStopping
	}
	defer d.inflight.end()
	tell := func(name, text string) { s.step(rotRef(rot.ID), name, text) }
	// No rotation may bring a newer value meanwhile, to be overwritten by this.
	patient, cancel := d.until(r.Context())
	defer cancel()
	unlock, err := d.passcards.lock(patient, rot.Passcard, func() { tell("waiting", "another run for this passcard goes first") })
	if err != nil {
		return err
	}
	defer d.kick()
	defer unlock()
	delivery, err := findOrAdd(d.stop, st, rot.ID, req)
	if err != nil {
		return err
	}
	if _, err := d.engine.Deliver(d.stop, delivery, tell); err != nil {
		return err
	}
	d.settles.wait(rot.ID, d.cfg.Now(), never) // an old token may have waited for it
	view, err := oneDelivery(d.stop, st, rot.ID, delivery.Name)
	if err != nil {
		return err
	}
	s.send(ipc.Event{Result: &ipc.Result{Delivery: view}})
	return nil
}

// oneDelivery is a delivery as the API shows it.
func oneDelivery(ctx context.Context, st *store.Store, id, name string) (*ipc.Delivery, error) {
	rot, err := st.ROT(ctx, id)
	if err != nil {
		return nil, err
	}
	all, err := st.Deliveries(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, v := range deliveryViews(all, rot.Current) {
		if v.Name == name {
			return &v, nil
		}
	}
	return nil, fmt.Errorf("delivery %q: %w", name, store.ErrNotFound) // removed a moment ago
}

// findOrAdd is the ROT's delivery with the command and the name, if any, of the
// request; there is one afterwards.
func findOrAdd(ctx context.Context, st *store.Store, rot string, req ipc.Deliver) (store.Delivery, error) {
	all, err := st.Deliveries(ctx, rot)
	if err != nil {
		return store.Delivery{}, err
	}
	name := req.Name
	for _, d := range all {
		if (name == "" || name == d.Name) && slices.Equal(d.Command, req.Command) {
			return d, nil
		}
	}
	if name == "" {
		name = freeName(req.Command, all)
	} else if err := store.ValidName(name); err != nil {
		return store.Delivery{}, badRequest(err.Error(), store.HintOf(err))
	}
	return st.AddDelivery(ctx, store.Delivery{ROT: rot, Name: name, Command: req.Command})
}

// freeName names a delivery after its program: gh, gh-2, gh-3. For rot, which
// links an .npmrc so, it is the command's own name that tells.
func freeName(command []string, all []store.Delivery) string {
	program := filepath.Base(command[0])
	if program == "rot" && len(command) > 1 {
		program = command[1]
	}
	if store.ValidName(program+"-9999") != nil {
		program = "delivery"
	}
	name := program
	for n := 2; slices.ContainsFunc(all, func(d store.Delivery) bool { return d.Name == name }); n++ {
		name = fmt.Sprintf("%s-%d", program, n)
	}
	return name
}

func (d *Daemon) deleteDelivery(r *http.Request, st *store.Store, out *reply) error {
	rot, err := rotOf(r, st)
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	err = st.RemoveDelivery(r.Context(), rot.ID, name)
	if errors.Is(err, store.ErrNotFound) {
		return &ipc.Error{
			Code:    ipc.CodeNotFound,
			Message: fmt.Sprintf("%s has no delivery %q", rotRef(rot.ID), name),
			Hint:    "rot deliver " + rotRef(rot.ID) + " --list shows them",
		}
	}
	if err != nil {
		return err
	}
	d.settles.wait(rot.ID, d.cfg.Now(), never) // an old token may have waited for it
	d.kick()
	return out.noContent()
}

// rotOf is the ROT that the path of a request names.
func rotOf(r *http.Request, st *store.Store) (store.ROT, error) {
	id, err := resolveROT(r.Context(), st, r.PathValue("ref"))
	if err != nil {
		return store.ROT{}, err
	}
	return st.ROT(r.Context(), id)
}

// deliveryViews are deliveries as the API shows them; current is the generation
// that their ROT serves.
func deliveryViews(all []store.Delivery, current int) []ipc.Delivery {
	views := make([]ipc.Delivery, 0, len(all))
	for _, d := range all {
		v := ipc.Delivery{
			Name: d.Name, Command: d.Command, State: ipc.DeliveryOK, Generation: d.Delivered,
			Delivered: timeOrNil(d.DeliveredAt), LastAttempt: timeOrNil(d.LastAttempt), Next: timeOrNil(d.Next),
			Error: d.LastResult, Output: d.LastOutput,
		}
		switch {
		case d.Failures > 0:
			v.State = ipc.DeliveryFailing
		case d.Delivered < current || current == 0:
			v.State = ipc.DeliveryWaiting
		}
		views = append(views, v)
	}
	return views
}

func anyFails(all []ipc.Delivery) bool {
	return slices.ContainsFunc(all, func(d ipc.Delivery) bool { return d.State == ipc.DeliveryFailing })
}

// parseGrace reads a grace period; nil where none is named.
func parseGrace(s string) (*time.Duration, error) {
	var grace time.Duration
	var err error
	switch s {
	case "":
		return nil, nil
	case "0":
	default:
		grace, err = parseSpan("--grace", s)
	}
	return &grace, err
}

// prepare notes in the store what the request says of ROTs beside their shape.
func prepare(ctx context.Context, st *store.Store, rots []string, grace *time.Duration, leaked bool) error {
	for _, id := range rots {
		if grace != nil {
			if err := st.SetGrace(ctx, id, *grace); err != nil {
				return err
			}
		}
		if leaked {
			if err := st.Hurry(ctx, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// tellWaiting says in the outcome of a rotation what older values are kept for.
func tellWaiting(done *ipc.Rotation, wait rotate.Waiting) {
	done.GraceEnds, done.Readers = timeOrNil(wait.Grace), wait.Readers
	var why []string
	for _, u := range wait.Undelivered {
		done.Undelivered = append(done.Undelivered, u.Name)
		why = append(why, u.Name+": "+u.Why)
	}
	if len(why) > 0 {
		done.Warning = "not delivered yet, rotd tries again: " + strings.Join(why, "; ")
		if wait.Old > 0 {
			done.Warning += "; the old token stays until then"
		}
	}
}

// graceEnd is when the grace of the newest value that is in it ends.
func graceEnd(r store.ROT, live []store.Generation) *time.Time {
	var end time.Time
	for _, g := range live {
		if g.Step == store.StepRetiring && !g.Hurry && !g.Delivered.IsZero() {
			end = g.Delivered.Add(r.Grace)
		}
	}
	return timeOrNil(end)
}
