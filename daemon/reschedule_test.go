package daemon

import (
	"strings"
	"testing"
	"time"

	"rotd/ipc"
)

func (r *rig) reschedule(rot string, to ipc.Schedule) ipc.ROT {
	r.t.Helper()
	var v ipc.ROT
	if err := r.call("PUT", "/v1/rots/"+rot+"/schedule", to, &v); err != nil {
		r.t.Fatal(err)
	}
	return v
}

func TestASchedule(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	made := *r.rot(rot).Created
	for _, c := range []struct {
		to   ipc.Schedule
		want time.Duration // from the rotation on, less up to a twentieth
	}{
		{ipc.Schedule{Every: "30d"}, 30 * day},
		{ipc.Schedule{Every: "2w"}, 14 * day},
		{ipc.Schedule{BeforeExpiry: "14d"}, 76 * day},
		{ipc.Schedule{BeforeExpiry: "36h"}, 90*day - 36*time.Hour},
		{ipc.Schedule{}, 60 * day},
	} {
		v := r.reschedule(rot, c.to)
		if early := made.Add(c.want).Sub(*v.Next); early < -time.Minute || early > c.want/20+time.Minute {
			t.Errorf("%+v: next is %v after the rotation, want %v", c.to, v.Next.Sub(made), c.want)
		}
		if c.to.Every != "2w" && v.Schedule != c.to {
			t.Errorf("%+v is shown as %+v", c.to, v.Schedule)
		}
		if again := r.rot(rot); !again.Next.Equal(*v.Next) {
			t.Error("the next rotation is not drawn once and kept")
		}
	}
	if v := r.reschedule(rot, ipc.Schedule{Off: true}); v.Next != nil || !v.Schedule.Off || !v.ExpiresBeforeNext {
		t.Errorf("off: %+v", v)
	}
	r.advance(80 * day)
	if work, _, err := r.d.due(t.Context(), time.Time{}); err != nil || len(work) > 0 {
		t.Errorf("off, and due: %v, %v", work, err)
	}
	// Turned on again it is long past its time.
	r.reschedule(rot, ipc.Schedule{Every: "7d"})
	r.await("the rotation", func() bool { return r.token(rot).Generation == 2 })
	r.await("the end of it", func() bool { return r.rot(rot).State == ipc.StateOK })
	if v := r.rot(rot); v.Next.Sub(r.clock()) > 7*day {
		t.Errorf("the schedule does not hold for the second token: %v", v.Next.Sub(r.clock()))
	}
	var shown ipc.ROT
	if err := r.call("GET", "/v1/rots/"+rot+"/schedule", nil, &shown); err != nil || shown.Schedule.Every != "7d" {
		t.Errorf("GET: %+v, %v", shown, err)
	}
}

func TestSchedulesThatAreRefused(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	before := r.rot(rot)
	for want, to := range map[string]ipc.Schedule{
		"every 90d is too late: the token lives 90d":                {Every: "90d"},
		"every 700d is too late":                                    {Every: "100w"},
		"90d before its expiry is too early: the token lives 90d":   {BeforeExpiry: "90d"},
		`--every is a whole number and a unit, not "30"`:            {Every: "30"},
		`--every is a whole number and a unit, not "1.5d"`:          {Every: "1.5d"},
		`--before-expiry is a whole number and a unit, not "5min"`:  {BeforeExpiry: "5min"},
		"--every is an hour at least":                               {Every: "0d"},
		"--before-expiry is an hour at least, and ten years at mos": {BeforeExpiry: "9999w"},
		"a ROT has one schedule":                                    {Every: "7d", Off: true},
	} {
		err := r.call("PUT", "/v1/rots/"+rot+"/schedule", to, nil)
		if err == nil || err.Code != ipc.CodeBadRequest || err.Hint == "" || !strings.Contains(err.Message, want) {
			t.Errorf("%+v: %+v, want %q", to, err, want)
		}
	}
	if err := r.call("PUT", "/v1/rots/nobody/schedule", ipc.Schedule{Every: "7d"}, nil); err == nil || err.Code != ipc.CodeNotFound {
		t.Errorf("of no ROT: %+v", err)
	}
	if after := r.rot(rot); !after.Next.Equal(*before.Next) || after.Schedule != before.Schedule {
		t.Errorf("a refusal changed something: %+v", after)
	}
}

func TestAScheduleWaitsForARotation(t *testing.T) {
	r := newRig(t)
	passcard, rot := r.first()
	unlock, ok := r.d.passcards.try(passcard)
	if !ok {
		t.Fatal("in use")
	}
	time.AfterFunc(50*time.Millisecond, unlock)
	if v := r.reschedule(rot, ipc.Schedule{Every: "7d"}); v.Schedule.Every != "7d" {
		t.Errorf("%+v", v)
	}
}

// What waits for a person, or for npm to recover, goes on waiting.
func TestAScheduleIsNoWayAroundAFailure(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	r.switches(`{"faults":[{"path":"/-/npm/v1/tokens","method":"POST","count":-1,"kind":"status","status":429,"retry_after":7200}]}`)
	r.advance(61 * day)
	r.await("the failure", func() bool { return r.rot(rot).State == ipc.StateFailing })
	before := r.rot(rot)
	if v := r.reschedule(rot, ipc.Schedule{Every: "7d"}); !v.Next.Equal(*before.Next) {
		t.Errorf("next was in %v and is in %v", before.Next.Sub(r.clock()), v.Next.Sub(r.clock()))
	}
}

func TestATokenThatExpiresBeforeTheNextTryIsMarked(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	if r.rot(rot).ExpiresBeforeNext {
		t.Error("all is well, and it is marked")
	}
	r.switches(`{"faults":[{"path":"/-/npm/v1/tokens","method":"POST","count":-1,"kind":"status","status":429,"retry_after":7200}]}`)
	r.advance(90*day - time.Hour)
	r.await("the failure", func() bool { return r.rot(rot).State == ipc.StateFailing })
	if v := r.rot(rot); !v.ExpiresBeforeNext || v.Next.Sub(r.clock()) < 2*time.Hour-time.Second {
		t.Errorf("next in %v, expiry in %v, marked: %v", v.Next.Sub(r.clock()), v.Expires.Sub(r.clock()), v.ExpiresBeforeNext)
	}
	r.await("the notice", func() bool { r.look(); return len(r.told.states()) == 1 })
	if got := r.told.all[0].Text; !strings.Contains(got, "its token expires before the next try") {
		t.Errorf("told %q", got)
	}
}
