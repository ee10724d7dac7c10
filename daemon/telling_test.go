package daemon

import (
	"context"
	"testing"
	"time"

	"rotd/ipc"
	"rotd/store"
)

// TestWhenThereIsSomethingToTell: the timer is told when the clock alone makes
// something that the user is told.
func TestWhenThereIsSomethingToTell(t *testing.T) {
	trouble := store.Trouble{Code: string(ipc.CodeUnreachable), Message: "m"}
	signIn := store.Trouble{Code: string(ipc.CodeNeedsSignIn), Message: "m"}
	for name, c := range map[string]struct {
		ahead time.Duration // the clock, of npm's
		do    func(w *clockwork, passcard, rot string)
		after time.Duration // since the ROT's making, for 30 days
		want  time.Duration // the next telling, since then; 0: none
	}{
		"a paused one that is well ends":       {want: 30 * day},
		"by npm, where the clock was ahead":    {ahead: 2 * day, want: 28 * day},
		"and its end by that clock":            {ahead: 2 * day, after: 28*day + time.Hour, want: 30 * day},
		"a trouble, 14 days before the end":    {do: fail(trouble), want: 16 * day},
		"a trouble near the end, daily":        {do: fail(trouble), after: 20 * day, want: 21 * day},
		"a trouble on the last day: the end":   {do: fail(trouble), after: 29*day + time.Hour, want: 30 * day},
		"a session's end, 14 days before that": {do: endSession(signIn), want: 16 * day},
		"a session's end near that, daily":     {do: endSession(signIn), after: 20 * day, want: 21 * day},
		"it has ended: daily":                  {after: 40 * day, want: 41 * day},
	} {
		t.Run(name, func(t *testing.T) {
			w := newClockwork(t)
			w.d.notify = func(context.Context, []Notice) error { return nil }
			w.skew = c.ahead
			passcard := w.passcard(0)
			rot := w.rot(passcard, 30)
			w.must(w.st.SetNext(t.Context(), rot, never))
			made := w.now()
			w.npm = w.npm.Add(c.after)
			if c.do != nil {
				c.do(w, passcard, rot)
			}
			next, err := w.d.tellChanges(t.Context())
			w.must(err)
			w.d.work.Wait()
			if got := next.Sub(made); got.Round(time.Second) != c.want {
				t.Errorf("next in %v from its making, want %v", got, c.want)
			}
		})
	}
}

func fail(why store.Trouble) func(w *clockwork, _, rot string) {
	return func(w *clockwork, _, rot string) { w.must(w.st.SetTrouble(w.t.Context(), rot, why, 1, never)) }
}

func endSession(why store.Trouble) func(w *clockwork, passcard, _ string) {
	return func(w *clockwork, passcard, _ string) {
		w.must(w.st.NoteSession(w.t.Context(), passcard, w.now(), why))
	}
}
