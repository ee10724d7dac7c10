package daemon

import (
	"testing"
	"time"
)

// TestTenWithinAnyMinute: the minute is the last one, wherever it begins.
func TestTenWithinAnyMinute(t *testing.T) {
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		at   []time.Duration // of wrong tokens
		want bool            // shut out after the last, and not before
	}{
		"ten at once":                {at: repeat(0, 10), want: true},
		"nine":                       {at: repeat(0, 9)},
		"nine, and nine a minute on": {at: append(repeat(0, 9), repeat(time.Minute, 9)...)},
		"one, and nine to its minute's end, and one": {at: append(append(repeat(0, 1), repeat(59*time.Second, 8)...), repeat(61*time.Second, 2)...), want: true},
		"one every seven seconds":                    {at: every(7*time.Second, 40)},
		"one every six seconds":                      {at: every(6*time.Second, 10), want: true},
		"nine of a clock that was set back":          {at: append(repeat(time.Hour, 9), repeat(0, 9)...)},
	} {
		t.Run(name, func(t *testing.T) {
			var s strikes
			for i, at := range c.at {
				if left := s.left(7, start.Add(at)); left != 0 {
					t.Fatalf("shut out for %v after %d of %d", left, i, len(c.at))
				}
				s.add(7, start.Add(at))
			}
			last := start.Add(c.at[len(c.at)-1])
			if left := s.left(7, last); (left == shutOut) != c.want {
				t.Errorf("shut out for %v, want it: %v", left, c.want)
			}
			if s.left(8, last) != 0 || s.left(7, last.Add(shutOut)) != 0 {
				t.Error("another uid is shut out, or it does not end")
			}
		})
	}
}

func repeat(at time.Duration, n int) (all []time.Duration) {
	for range n {
		all = append(all, at)
	}
	return all
}

func every(step time.Duration, n int) (all []time.Duration) {
	for i := range n {
		all = append(all, time.Duration(i)*step)
	}
	return all
}
