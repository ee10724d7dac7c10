package daemon

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"rotd/ipc/socket"
	"rotd/store"
)

// BenchmarkGetHandler is what a get costs behind net/http, without the socket:
// its allocations are counted.
func BenchmarkGetHandler(b *testing.B) {
	r := newRig(b)
	_, rot := r.first()
	text := newAccessToken()
	if _, _, err := r.d.store.Load().AddTokenGrant(b.Context(), rot, "bench", accessHash(text), time.Time{}, nil); err != nil {
		b.Fatal(err)
	}
	for name, bearer := range map[string]string{"owner": "", "access-token": "Bearer " + text.Reveal()} {
		b.Run(name, func(b *testing.B) {
			req := getRequest(b.Context(), rot, bearer)
			b.ReportAllocs()
			for b.Loop() {
				r.get(b, req)
			}
		})
	}
}

// BenchmarkReadLog is what it costs that reads are in the log, beside all of a
// get behind net/http, at loggedGets a second of 100 ROTs: that each is noted, and
// that all are written once a second.
func BenchmarkReadLog(b *testing.B) {
	const loggedGets, rots = 30_000, 100
	r := newRig(b)
	_, rot := r.first()
	req := getRequest(b.Context(), rot, "")
	var whole, noting, writing time.Duration
	n := 0
	for b.Loop() {
		start := time.Now()
		for range loggedGets {
			r.get(b, req)
		}
		whole += time.Since(start)
		start = time.Now()
		for range loggedGets {
			r.d.noteRead(req, reading{rot: rot}, 1)
		}
		noting += time.Since(start)
		for range rots {
			r.d.book.add(logKey{kind: store.LogRead, rot: rot, generation: n}, r.clock(), 1)
			n++
		}
		start = time.Now()
		if err := r.d.writeLog(b.Context()); err != nil {
			b.Fatal(err)
		}
		writing += time.Since(start)
	}
	b.ReportMetric(float64(noting+writing)/float64(whole), "log-ratio")
	b.ReportMetric(float64(writing.Microseconds())/1000/float64(b.N), "write-ms")
}

func getRequest(ctx context.Context, rot, bearer string) *http.Request {
	ctx = context.WithValue(ctx, peerKey{}, socket.Peer{UID: uint32(os.Getuid())})
	req := httptest.NewRequestWithContext(ctx, "GET", "/v1/rots/"+rot+"/token", http.NoBody)
	req.Host = "rotd"
	if bearer != "" {
		req.Header.Set("Authorization", bearer)
	}
	return req
}

// get has the handler answer.
func (r *rig) get(b *testing.B, req *http.Request) {
	w := &discard{header: make(http.Header)}
	r.handler.ServeHTTP(w, req)
	if w.status > http.StatusOK || w.n == 0 {
		b.Fatalf("status %d, %d bytes", w.status, w.n)
	}
}

// discard is an http.ResponseWriter that counts.
type discard struct {
	header    http.Header
	status, n int
}

func (d *discard) Header() http.Header { return d.header }

func (d *discard) WriteHeader(status int) { d.status = status }

func (d *discard) Write(b []byte) (int, error) {
	d.n += len(b)
	return len(b), nil
}
