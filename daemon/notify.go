package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rotd/ipc"
	"rotd/store"
)

// Notice is what the user is told of a ROT that has got into trouble, or out of
// it, or of a passcard that he has to sign in for again. A command of --notify
// reads it as JSON. It never holds a secret.
type Notice struct {
	State    string     `json:"state"`              // one of the ipc.State words; ipc.StateOK: it is well again
	ROT      string     `json:"rot,omitempty"`      // rot://rot_…
	Passcard string     `json:"passcard,omitempty"` // rot://pas_…, in place of a ROT
	Name     string     `json:"name,omitempty"`
	Registry string     `json:"registry"`
	Username string     `json:"username"`
	Expires  *time.Time `json:"expires,omitempty"` // of the token that is served
	Next     *time.Time `json:"next,omitempty"`    // when rotd tries again
	Error    *ipc.Error `json:"error,omitempty"`
	Title    string     `json:"title"` // a few words
	Text     string     `json:"text"`  // a sentence or two
}

// notifier tells the user. It gives up when ctx ends.
type notifier func(ctx context.Context, notices []Notice) error

// notifierOf tells by a command; without one by the desktop.
func (d *Daemon) notifierOf(command []string) notifier {
	if len(command) == 0 {
		return notifyDesktop
	}
	return notifyCommand(command, d.cfg.StateDir)
}

// notifyTime bounds the telling of what one look has found.
const notifyTime = time.Minute

// From nagFrom before its expiry on, a token whose trouble lasts is told of once
// in nagEvery.
const (
	nagFrom  = 14 * day
	nagEvery = day
)

// tellChanges tells the user what has changed since the last look, and returns when
// there will be something to tell by the clock alone. What was told is kept first:
// after a crash one message may be missing, and none comes twice. Only the timer
// calls it.
func (d *Daemon) tellChanges(ctx context.Context) (next time.Time, err error) {
	st := d.store.Load()
	if d.notify == nil {
		return next, nil
	}
	now := d.cfg.Now()
	views, err := d.notableViews(ctx, st)
	if err != nil {
		return next, err
	}
	notices, next, err := d.tellSignIns(ctx, st, now, views)
	if err != nil {
		return next, err
	}
	for _, v := range views {
		r, err := st.ROT(ctx, strings.TrimPrefix(v.Ref, rotRef("")))
		if errors.Is(err, store.ErrNotFound) {
			continue // it was removed just now
		}
		if err != nil {
			return next, err
		}
		if worthTelling(now, r, v) {
			state := v.State
			if state == ipc.StateOK {
				state = ""
			}
			if err := st.SetNotified(ctx, r.ID, state); err != nil {
				return next, err
			}
			notices = append(notices, d.noticeOf(v))
			r.NotifiedAt = now
		}
		if isTold(r, v) {
			next = earlier(next, nagAt(r.NotifiedAt, v))
		}
		if v.Expires != nil && now.Before(*v.Expires) {
			next = earlier(next, *v.Expires) // it will be in another state
		}
	}
	d.tell(ctx, notices)
	end, err := st.FirstExpiry(ctx, now) // of those that are well
	return earlier(next, end), err
}

// tell has the user told, in the background.
func (d *Daemon) tell(ctx context.Context, notices []Notice) {
	if len(notices) == 0 {
		return
	}
	notify := d.notify
	if s := d.reloaded.Load(); s != nil {
		notify = d.notifierOf(s.Notify)
	}
	d.work.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, notifyTime)
		defer cancel()
		d.telling.Lock() // one after the other, in their order
		defer d.telling.Unlock()
		if err := notify(ctx, notices); err != nil {
			d.cfg.Log.Warn("the user could not be told", "of", notices[0].Title, "notices", len(notices), "err", err)
		}
	})
}

// tellSignIns tells of the passcards that a person has to sign in for: once,
// however many ROTs each has, and again where the end of a token comes near. next is
// when that will be.
func (d *Daemon) tellSignIns(ctx context.Context, st *store.Store, now time.Time, views []ipc.ROT) (notices []Notice, next time.Time, err error) {
	passcards, err := st.Passcards(ctx)
	if err != nil {
		return nil, next, err
	}
	for _, p := range passcards {
		if p.Trouble.Code == "" {
			continue
		}
		var served []ipc.ROT // a passcard without any is nobody's loss
		for _, v := range views {
			if v.Passcard == passcardRef(p.ID) && v.Generation > 0 {
				served = append(served, v)
			}
		}
		again := slices.ContainsFunc(served, func(v ipc.ROT) bool { return nagging(now, p.NotifiedAt, v) })
		if len(served) > 0 && (p.NotifiedAt.IsZero() || again) {
			if err := st.NotePasscardNotified(ctx, p.ID, now); err != nil {
				return nil, next, err
			}
			notices = append(notices, signInNotice(p, served))
			p.NotifiedAt = now
		}
		for _, v := range served {
			next = earlier(next, nagAt(p.NotifiedAt, v))
		}
	}
	return notices, next, nil
}

// signInNotice tells of a passcard with these ROTs.
func signInNotice(p store.Passcard, served []ipc.ROT) Notice {
	n := Notice{
		State: ipc.StateNeedsSignIn, Passcard: passcardRef(p.ID), Name: p.Name, Registry: p.Registry, Username: p.Username,
		Error: wireTrouble(p.Trouble), Title: "rotd: npm wants " + p.Username + " to sign in again",
	}
	for _, v := range served {
		if v.Expires != nil && (n.Expires == nil || v.Expires.Before(*n.Expires)) {
			n.Expires = v.Expires
		}
	}
	text := []string{p.Trouble.Message, "run: rot approve " + calledOr(p.Name, n.Passcard)}
	n.Text = strings.Join(append(text, expiryText(n.Expires)...), "\n")
	return n
}

// worthTelling decides whether to tell of a ROT: when its state is another than
// was told last, and again where its token's end comes near.
func worthTelling(now time.Time, r store.ROT, v ipc.ROT) bool {
	switch {
	case v.State == ipc.StateOK:
		return r.Notified != ""
	case !isTold(r, v):
		return false
	case r.Notified != v.State:
		return true
	}
	return nagging(now, r.NotifiedAt, v)
}

// isTold reports whether a ROT is in a trouble that the user is told of.
func isTold(r store.ROT, v ipc.ROT) bool {
	if r.Current == 0 {
		return false // whoever made it was there
	}
	switch v.State {
	case ipc.StateFailing, ipc.StateUndelivered, ipc.StateNeedsApproval, ipc.StateExpired:
		return true
	}
	return false
}

// nagging reports whether it is time to tell of a trouble that lasts.
func nagging(now, told time.Time, v ipc.ROT) bool {
	at := nagAt(told, v)
	if told.Sub(now) >= nagEvery { // the clock was set back
		at = nagAt(time.Time{}, v)
	}
	return !at.IsZero() && !now.Before(at)
}

// nagAt is when to tell again of a trouble that lasts; the zero time: never.
func nagAt(told time.Time, v ipc.ROT) time.Time {
	if v.Schedule.Off || v.Expires == nil {
		return time.Time{}
	}
	if from := v.Expires.Add(-nagFrom); told.Add(nagEvery).Before(from) {
		return from
	}
	return told.Add(nagEvery)
}

func (d *Daemon) noticeOf(v ipc.ROT) Notice {
	n := Notice{
		State: v.State, ROT: v.Ref, Name: v.Name, Registry: v.Registry, Username: v.Username,
		Expires: v.Expires, Next: v.Next, Error: v.LastError,
	}
	name := calledOr(v.Name, v.Ref)
	var text []string
	if v.LastError != nil {
		text = append(text, v.LastError.Message)
	}
	switch v.State {
	case ipc.StateOK:
		n.Title = name + " is well again"
		text = append(text, fmt.Sprintf("generation %d is served", v.Generation))
	case ipc.StateFailing:
		n.Title = name + " cannot be rotated"
		if v.ExpiresBeforeNext {
			text = append(text, "its token expires before the next try: rot rotate "+name)
		}
	case ipc.StateUndelivered:
		n.Title = name + " is not delivered"
		for _, dl := range v.Deliveries {
			if dl.State == ipc.DeliveryFailing {
				text = append(text, dl.Name+": "+dl.Error)
			}
		}
		text = append(text, "the old token stays; run: rot deliver "+name+" --list")
	case ipc.StateNeedsApproval:
		n.Title = name + " needs you"
		text = append(text, "run: rot approve "+name)
	case ipc.StateExpired:
		n.Title = "the token of " + name + " has expired"
		text = append(text, "run: rot rotate "+name)
	}
	if v.State != ipc.StateOK {
		text = append(text, expiryText(v.Expires)...)
	}
	n.Title = "rotd: " + n.Title
	n.Text = strings.Join(text, "\n")
	return n
}

// calledOr is the name, or the reference of what has none.
func calledOr(name, ref string) string {
	if name == "" {
		return ref
	}
	return name
}

// expiryText says when a token ends, if it does.
func expiryText(at *time.Time) []string {
	if at == nil {
		return nil
	}
	return []string{"expiry: " + at.Local().Format("2006-01-02 15:04 MST")}
}
