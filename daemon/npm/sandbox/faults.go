package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The kinds of Fault.
const (
	FaultStatus   = "status"    // Status, Body and RetryAfter are the answer; nothing takes effect
	FaultCut      = "cut"       // the connection is cut; nothing takes effect
	FaultCutAfter = "cut-after" // the request takes effect, then the connection is cut
	FaultTruncate = "truncate"  // it takes effect, half of the answer's body arrives
	FaultGarble   = "garble"    // it takes effect, the answer's body is not JSON
	FaultSlow     = "slow"      // the answer comes after DelayMS
	FaultHold     = "hold"      // it takes effect at once, the answer comes after DelayMS
	FaultLate     = "late"      // it takes effect after DelayMS, even when the client is gone
)

// Fault is one kind of bad day, for the next Count requests that fit. The
// first fault in the list that fits is the one that happens; one of kind slow
// without a delay lets its requests pass. The control paths never fail.
type Fault struct {
	Method string `json:"method,omitempty"` // empty: any
	Path   string `json:"path"`             // prefix of the path
	Count  int    `json:"count"`            // requests left; -1: for ever; 0: none any more
	Kind   string `json:"kind"`

	Status     int    `json:"status,omitempty"`      // FaultStatus; 0 is 500
	Body       string `json:"body,omitempty"`        // FaultStatus; empty: an error in JSON
	RetryAfter int    `json:"retry_after,omitempty"` // seconds; FaultStatus
	DelayMS    int    `json:"delay_ms,omitempty"`    // before the effect and the answer, save for FaultHold
}

func (f *Fault) check() error {
	kinds := []string{FaultStatus, FaultCut, FaultCutAfter, FaultTruncate, FaultGarble, FaultSlow, FaultHold, FaultLate}
	if !slices.Contains(kinds, f.Kind) {
		return fmt.Errorf("the kind of a fault is one of %q, not %q", kinds, f.Kind)
	}
	if !strings.HasPrefix(f.Path, "/") {
		return fmt.Errorf("the path of a fault begins with a slash, not %q", f.Path)
	}
	if f.Count < -1 {
		return fmt.Errorf("the count of a fault is -1 (for ever) or more, not %d", f.Count)
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return fmt.Errorf("the status of a fault is an HTTP status, not %d", f.Status)
	}
	return nil
}

// takeFault finds the fault for r, and counts it. The zero Fault is none.
func (s *Sandbox) takeFault(r *http.Request) Fault {
	if isControl(r) {
		return Fault{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.switches.Faults {
		f := &s.switches.Faults[i]
		if f.Count == 0 || f.Method != "" && f.Method != r.Method || !strings.HasPrefix(r.URL.Path, f.Path) {
			continue
		}
		if f.Count > 0 {
			f.Count--
		}
		return *f
	}
	return Fault{}
}

// wait waits before the request takes effect. It is false when the client went
// away meanwhile and nothing is to happen any more.
func (f Fault) wait(ctx context.Context) bool {
	switch f.Kind {
	case FaultHold:
		return true
	case FaultLate:
		ctx = context.WithoutCancel(ctx)
	}
	return f.pause(ctx)
}

func (f Fault) pause(ctx context.Context) bool {
	if f.DelayMS <= 0 {
		return true
	}
	t := time.NewTimer(time.Duration(f.DelayMS) * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// answers reports whether the fault stands in for the handler.
func (f Fault) answers(w http.ResponseWriter) bool {
	switch f.Kind {
	case FaultCut:
		return true
	case FaultStatus:
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		}
		status := f.Status
		if status == 0 {
			status = http.StatusInternalServerError
		}
		if f.Body == "" {
			refuse(w, status, http.StatusText(status))
			return true
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(f.Body))
		return true
	}
	return false
}

// deliver sends out, as far as the fault lets it.
func (f Fault) deliver(w http.ResponseWriter, out *answerBuffer) {
	if f.Kind == FaultCut || f.Kind == FaultCutAfter {
		panic(http.ErrAbortHandler) // net/http's way to cut a connection
	}
	body := out.body.Bytes()
	if f.Kind == FaultGarble {
		body = []byte("<html><body>upstream connect error")
	}
	for k, v := range out.header {
		w.Header()[k] = v
	}
	if status := out.code(); status != http.StatusNoContent && status != http.StatusNotModified {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(out.code())
	if f.Kind == FaultTruncate {
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body)
}
