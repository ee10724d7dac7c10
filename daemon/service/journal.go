package service

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/coreos/go-systemd/v22/journal"
)

// ToJournal reports whether standard error goes to systemd's journal.
func ToJournal() bool {
	is, err := journal.StderrIsJournalStream()
	return is && err == nil
}

// The priorities of syslog, as a line's beginning tells them to the journal.
const (
	priorityError   = 3
	priorityWarning = 4
	priorityInfo    = 6
	priorityDebug   = 7
)

// ErrorPrefix begins a line that the journal is to keep as an error.
var ErrorPrefix = fmt.Sprintf("<%d>", priorityError)

// NewJournalHandler logs lines that begin with their priority, as the journal
// reads them from a service's standard error. It leaves out the time, which the
// journal has.
func NewJournalHandler(w io.Writer, level slog.Leveler) slog.Handler {
	out := &lines{w: w}
	return journalHandler{out, slog.NewTextHandler(&out.line, &slog.HandlerOptions{Level: level, ReplaceAttr: withoutTime})}
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
		return slog.Attr{}
	}
	return a
}

// lines is where all handlers that come from one write.
type lines struct {
	mu   sync.Mutex
	line bytes.Buffer
	w    io.Writer
}

type journalHandler struct {
	out *lines
	slog.Handler
}

func (h journalHandler) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.line.Reset()
	fmt.Fprintf(&h.out.line, "<%d>", priority(r.Level))
	if err := h.Handler.Handle(ctx, r); err != nil {
		return err
	}
	_, err := h.out.w.Write(h.out.line.Bytes())
	return err
}

func (h journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return journalHandler{h.out, h.Handler.WithAttrs(attrs)}
}

func (h journalHandler) WithGroup(name string) slog.Handler {
	return journalHandler{h.out, h.Handler.WithGroup(name)}
}

func priority(l slog.Level) int {
	switch {
	case l >= slog.LevelError:
		return priorityError
	case l >= slog.LevelWarn:
		return priorityWarning
	case l >= slog.LevelInfo:
		return priorityInfo
	}
	return priorityDebug
}
