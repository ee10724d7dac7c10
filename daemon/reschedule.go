package daemon

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/store"
)

// lockPatience is how long a change waits for a run of the same passcard.
const lockPatience = 5 * time.Second

// getSchedule shows one ROT, and so its schedule.
func (d *Daemon) getSchedule(r *http.Request, st *store.Store, out *reply) error {
	id, err := resolveROT(r.Context(), st, r.PathValue("ref"))
	if err != nil {
		return err
	}
	return d.showROT(r.Context(), st, id, out)
}

// putSchedule changes when a ROT is rotated, from now on.
func (d *Daemon) putSchedule(r *http.Request, st *store.Store, out *reply) error {
	var req ipc.Schedule
	if err := readBody(r, &req); err != nil {
		return err
	}
	to, err := parseSchedule(req)
	if err != nil {
		return err
	}
	id, err := resolveROT(r.Context(), st, r.PathValue("ref"))
	if err != nil {
		return err
	}
	if err := d.reschedule(r.Context(), st, id, to); err != nil {
		return err
	}
	return d.showROT(r.Context(), st, id, out)
}

func (d *Daemon) showROT(ctx context.Context, st *store.Store, id string, out *reply) error {
	all, err := d.rotViews(ctx, st)
	if err != nil {
		return err
	}
	for _, v := range all {
		if v.Ref == rotRef(id) {
			return out.json(v)
		}
	}
	return store.ErrNotFound // forgotten a moment ago
}

// reschedule gives a ROT a schedule and draws its next rotation. A rotation
// under way would undo that, and is waited for a little.
func (d *Daemon) reschedule(ctx context.Context, st *store.Store, id string, to store.Schedule) error {
	rot, err := st.ROT(ctx, id)
	if err != nil {
		return err
	}
	patient, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	unlock, err := d.passcards.lock(patient, rot.Passcard, func() {})
	if errors.Is(err, context.DeadlineExceeded) {
		return &ipc.Error{Code: ipc.CodeBusy, Message: "a rotation is running, and would not know of the new schedule", Hint: "run the command again when it is over: rot status"}
	}
	if err != nil {
		return err
	}
	defer d.kick() // after the unlock: the timer left alone what was in use
	defer unlock()
	if rot, err = st.ROT(ctx, id); err != nil {
		return err
	}
	current, err := st.Generations(ctx, id, store.StepCurrent)
	if err != nil {
		return err
	}
	g := served(rot, current)
	if err := fits(to, g, rot.Shape); err != nil {
		return err
	}
	return st.SetSchedule(ctx, id, to, nextBy(d.cfg.Now(), rot, to, g))
}

// nextBy is when to rotate rot next under another schedule. A failure that is
// waited out stays so, and what needs a person does too.
func nextBy(now time.Time, rot store.ROT, to store.Schedule, g store.Generation) time.Time {
	waits := rot.Trouble.Code != "" && !rot.Schedule.Paused
	switch {
	case to.Paused || rot.Current == 0:
		return never
	case waits:
		return rot.Next
	}
	rot.Schedule = to
	since := g.Changed // when it became current
	if since.After(now) {
		since = now
	}
	return rotate.Next(since, g, rot, rand.Float64())
}

// fits checks a schedule against the life of the ROT's tokens.
func fits(to store.Schedule, g store.Generation, shape store.Shape) error {
	life := time.Duration(shape.ExpiresDays) * day
	if !g.Expires.IsZero() && !g.Created.IsZero() {
		life = g.Expires.Sub(g.Created)
	}
	const hint = "choose less, or give the ROT another life: rot rotate --expires DAYS"
	switch {
	case to.BeforeExpiry > 0 && life == 0:
		return badRequest("npm names no end of this token, so there is no time before it", "use --every")
	case life == 0:
		return nil
	case to.Every >= life:
		return badRequest(fmt.Sprintf("every %s is too late: the token lives %s", spanText(to.Every), spanText(life)), hint)
	case to.BeforeExpiry > life-minSpan:
		return badRequest(fmt.Sprintf("%s before its expiry is too early: the token lives %s", spanText(to.BeforeExpiry), spanText(life)), hint)
	}
	return nil
}

const (
	day     = 24 * time.Hour
	minSpan = time.Hour
	maxSpan = 10 * 365 * day
)

var spans = regexp.MustCompile(`^([0-9]{1,4})([hdw])$`)

// parseSpan reads a length of time as the user writes it: "30d", "2w", "36h".
func parseSpan(what, s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	m := spans.FindStringSubmatch(s)
	if m == nil {
		return 0, badRequest(fmt.Sprintf("%s is a whole number and a unit, not %q", what, s), "hours, days or weeks: 36h, 30d, 2w")
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0, err
	}
	unit := map[string]time.Duration{"h": time.Hour, "d": day, "w": 7 * day}[m[2]]
	span := time.Duration(n) * unit
	if span < minSpan || span > maxSpan {
		return 0, badRequest(what+" is an hour at least, and ten years at most", "hours, days or weeks: 36h, 30d, 2w")
	}
	return span, nil
}

// spanText is parseSpan the other way. What is no whole hour is rounded.
func spanText(d time.Duration) string {
	switch d = d.Round(time.Hour); {
	case d == 0:
		return ""
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	}
	return fmt.Sprintf("%dh", d/time.Hour)
}

func parseSchedule(req ipc.Schedule) (to store.Schedule, err error) {
	said := 0
	for _, is := range []bool{req.Every != "", req.BeforeExpiry != "", req.Off} {
		if is {
			said++
		}
	}
	if said > 1 {
		return to, badRequest("a ROT has one schedule, and here are several", "give one of --every, --before-expiry, --off and --auto")
	}
	to.Paused = req.Off
	if to.Every, err = parseSpan("--every", req.Every); err != nil {
		return to, err
	}
	to.BeforeExpiry, err = parseSpan("--before-expiry", req.BeforeExpiry)
	return to, err
}

func wireSchedule(s store.Schedule) ipc.Schedule {
	return ipc.Schedule{Every: spanText(s.Every), BeforeExpiry: spanText(s.BeforeExpiry), Off: s.Paused}
}
