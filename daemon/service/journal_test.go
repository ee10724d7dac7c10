package service

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

func TestTheJournalGetsPriorities(t *testing.T) {
	var out bytes.Buffer
	level := new(slog.LevelVar)
	log := slog.New(NewJournalHandler(&out, level))
	log.Debug("not this")
	log.Info("ready", "socket", "/s")
	log.With("rot", "rot_a").Warn("two\nlines", "err", errors.New("x y"))
	log.WithGroup("g").Error("bad", "n", 1)
	level.Set(slog.LevelDebug)
	log.Debug("this")
	want := "<6>msg=ready socket=/s\n" +
		`<4>msg="two\nlines" rot=rot_a err="x y"` + "\n" +
		"<3>msg=bad g.n=1\n" +
		"<7>msg=this\n"
	if got := out.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestLinesStayWhole(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(NewJournalHandler(&out, slog.LevelInfo))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			log := log.With("a", "b")
			for range 100 {
				log.Info("m")
			}
		})
	}
	wg.Wait()
	if got := strings.Count(out.String(), "<6>msg=m a=b\n"); got != 800 {
		t.Errorf("%d whole lines of 800", got)
	}
}
