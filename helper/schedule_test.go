package helper

import (
	"testing"
	"time"

	"rotd/ipc"
)

func TestSchedule(t *testing.T) {
	d := newDaemon(t)
	next := testNow.Add(30 * 24 * time.Hour)
	d.on("PUT "+ipc.PathSchedule, ipc.ROT{Ref: testROT, Schedule: ipc.Schedule{Every: "30d"}, Next: &next})
	d.on("GET "+ipc.PathSchedule, ipc.ROT{Ref: testROT, Next: &next})
	d.run("schedule", "ci").want(t, 0, "at two thirds of its life, next in 30 days (2026-12-23 12:00 UTC)\n", "")
	d.run("schedule", "ci", "--json").want(t, 0, `{"ref":"`+testROT+`","passcard":"","registry":"","username":"","shape":{},"generation":0,"next":"2026-12-23T12:00:00Z","state":""}`+"\n", "")
	for _, c := range []struct {
		args []string
		want ipc.Schedule
	}{
		{[]string{"--every", "30d"}, ipc.Schedule{Every: "30d"}},
		{[]string{"--before-expiry", "2w"}, ipc.Schedule{BeforeExpiry: "2w"}},
		{[]string{"--off"}, ipc.Schedule{Off: true}},
		{[]string{"--auto"}, ipc.Schedule{}},
	} {
		d.run(append([]string{"schedule", testROT}, c.args...)...).want(t, 0, "", "✔ "+testROT+": every 30d, next in 30 days")
		got := ipc.Schedule{Every: "unset"}
		d.body("/v1/rots/rot_a2c4q7y3k5m6n2p4/schedule", &got)
		if c.want.Every == "" && got.Every == "unset" {
			got.Every = ""
		}
		if got != c.want {
			t.Errorf("%v sends %+v", c.args, got)
		}
	}
	d.run("schedule", "ci", "--every", "").want(t, ipc.ExitUsage, "", "--every is empty")
	d.run("schedule", "ci", "--auto", "--off").want(t, ipc.ExitUsage, "", "--auto goes with no other schedule")
	d.run("schedule").want(t, ipc.ExitUsage, "", "which reference")
}

func TestScheduleText(t *testing.T) {
	c := &call{Env: &Env{Now: func() time.Time { return testNow }}}
	past := testNow.Add(-time.Hour)
	for want, r := range map[string]ipc.ROT{
		"never by itself":           {Schedule: ipc.Schedule{Off: true}},
		"14d before it expires":     {Schedule: ipc.Schedule{BeforeExpiry: "14d"}},
		"every 2w, due now":         {Schedule: ipc.Schedule{Every: "2w"}, Next: &past},
		"at two thirds of its life": {},
	} {
		if got := scheduleText(r.Schedule) + c.nextText(r); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
