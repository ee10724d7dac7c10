package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"rotd/ipc"
	"rotd/ipc/socket"
	"rotd/store"
)

// entries are those of the log about ref, or all, of one kind where it is named.
func (r *rig) entries(ref, kind string) []ipc.LogEntry {
	r.t.Helper()
	var page struct{ Log []ipc.LogEntry }
	if err := r.call("GET", "/v1/log?limit=1000&ref="+ref, nil, &page); err != nil {
		r.t.Fatal(err)
	}
	return slices.DeleteFunc(page.Log, func(e ipc.LogEntry) bool { return kind != "" && e.Kind != kind })
}

func TestTheLogOfARotation(t *testing.T) {
	r := newRig(t)
	passcard, rot := r.first()
	value := r.token(rot).Value
	if _, err := r.stream("/v1/rotations/"+rot, ipc.Rotate{}); err != nil {
		t.Fatal(err)
	}
	r.switches(`{"faults":[{"path":"/-/npm/v1/tokens","method":"POST","count":1,"kind":"status","status":403}]}`)
	if _, err := r.stream("/v1/rotations/"+rot, ipc.Rotate{}); err == nil {
		t.Fatal("the fault did not happen")
	}
	r.token(rot)
	if err := r.d.writeLog(t.Context()); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range r.entries(passcard, "") {
		kinds = append(kinds, e.Kind)
		if e.At.IsZero() || e.Count == 0 || strings.Contains(fmt.Sprintf("%+v", e), value.Reveal()) {
			t.Errorf("entry %+v", e)
		}
	}
	// The first read may have been written before what came after it, or not.
	got := strings.Join(slices.DeleteFunc(kinds, func(k string) bool { return k == store.LogRead }), " ")
	if want := "connected rotated rotated revoked undone failed"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	reads := r.entries(rot, store.LogRead)
	if n := len(reads); n != 2 || reads[0].Generation != 1 || reads[1].Generation != 2 || *reads[0].UID != uint32(os.Getuid()) {
		t.Errorf("reads are %+v", reads)
	}
	if failed := r.entries(rot, store.LogFailed); !strings.Contains(failed[0].Detail, "403") {
		t.Errorf("the failure is %+v", failed)
	}
}

func TestRefusalsAreLogged(t *testing.T) {
	r := newRig(t)
	stranger := socket.Peer{UID: uint32(os.Getuid()) + 1}
	for _, change := range []func(*http.Request){func(*http.Request) {}, func(*http.Request) {}, func(q *http.Request) { q.Header.Set("Origin", "null") }} {
		req := httptest.NewRequest("GET", "http://rotd/v1/status", nil)
		req = req.WithContext(context.WithValue(req.Context(), peerKey{}, stranger))
		change(req)
		r.handler.ServeHTTP(httptest.NewRecorder(), req)
	}
	if err := r.d.writeLog(t.Context()); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, e := range r.entries("", store.LogRefused) {
		if e.UID == nil || *e.UID != stranger.UID {
			t.Errorf("entry %+v", e)
		}
		count[e.Detail] += e.Count
	}
	if len(count) != 2 || count["/v1/status"] != 2 || count["/v1/status, by way of a web browser"] != 1 {
		t.Errorf("refusals are %v", count)
	}
}

// TestRefusalsDoNotFillTheLog: whoever is refused all the time cannot push out what
// else there is in the log, and is told of all the same.
func TestRefusalsDoNotFillTheLog(t *testing.T) {
	r := newRig(t)
	r.d.book.pause = time.Hour // the test writes
	refused := func() {
		t.Helper()
		req := httptest.NewRequest("GET", "http://rotd/v1/status", nil)
		req = req.WithContext(context.WithValue(req.Context(), peerKey{}, socket.Peer{UID: uint32(os.Getuid()) + 1}))
		r.handler.ServeHTTP(httptest.NewRecorder(), req)
		if err := r.d.writeLog(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	const seconds = 900
	for range seconds {
		refused()
		r.advance(time.Second)
	}
	rows, times := 0, 0
	for _, e := range r.entries("", store.LogRefused) {
		rows++
		times += e.Count
	}
	if rows < refusalsApart || rows > refusalsApart+seconds/60 || times < seconds-60 || times > seconds {
		t.Errorf("%d refusals are %d entries of %d", seconds, rows, times)
	}
	r.advance(time.Hour)
	refused()
	all := r.entries("", store.LogRefused)
	if last := all[len(all)-1]; last.Detail != "/v1/status" {
		t.Errorf("an hour later: %+v", last)
	}
}

// TestReadsDoNotFillTheLog: whoever reads all the time cannot either, and each read
// is counted.
func TestReadsDoNotFillTheLog(t *testing.T) {
	r := newRig(t)
	r.d.book.pause = time.Hour // the test writes
	who := logKey{kind: store.LogRead, rot: "rot_x", uid: 7, known: true}
	const seconds = 900
	for i := range seconds {
		r.d.book.add(who, r.clock(), 1)
		if err := r.d.write(t.Context(), r.d.book.ripe(r.clock())); err != nil {
			t.Fatal(err)
		}
		if n := len(r.entries("", store.LogRead)); i < readsApart && n != i+1 {
			t.Fatalf("%d reads are %d entries", i+1, n)
		}
		r.advance(time.Second)
	}
	other := who
	other.uid = 8
	r.d.book.add(other, r.clock(), 1)
	before := len(r.entries("", store.LogRead))
	if err := r.d.write(t.Context(), r.d.book.ripe(r.clock())); err != nil {
		t.Fatal(err)
	}
	if n := len(r.entries("", store.LogRead)); n <= before {
		t.Error("another user's read is not in the log yet")
	}
	select {
	case <-r.d.book.fresh:
	default:
		t.Error("what is held back wakes nobody")
	}
	if err := r.d.writeLog(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, times := 0, 0
	for _, e := range r.entries("", store.LogRead) {
		if *e.UID == who.uid {
			rows++
			times += e.Count
		}
	}
	if rows > readsApart+seconds/60+1 || times != seconds {
		t.Errorf("%d reads are %d entries of %d", seconds, rows, times)
	}
	r.advance(time.Hour)
	r.d.book.add(who, r.clock(), 1)
	if left := r.d.book.ripe(r.clock()); len(left) != 1 {
		t.Error("an hour later it is not written at once")
	}
}

// TestWhatCannotBeWrittenIsKept closes the store under the log.
func TestWhatCannotBeWrittenIsKept(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	k := logKey{kind: store.LogRead, rot: "rot_x"}
	r.d.book.pause = time.Hour // the writer waits
	r.d.book.add(k, r.clock(), 2)
	if err := r.d.writeLog(ctx); err == nil {
		t.Fatal("it was written")
	}
	r.d.book.add(k, r.clock(), 1)
	if err := r.d.writeLog(t.Context()); err != nil {
		t.Fatal(err)
	}
	if reads := r.entries("", store.LogRead); len(reads) != 1 || reads[0].Count != 3 {
		t.Errorf("reads are %+v", reads)
	}
}

func TestLogPagesThatMakeNoSense(t *testing.T) {
	r := newRig(t)
	for query, want := range map[string]ipc.Code{
		"limit=10001": ipc.CodeBadRequest, "limit=-1": ipc.CodeBadRequest, "after=x": ipc.CodeBadRequest,
		"follow=2": ipc.CodeBadRequest, "page=2": ipc.CodeBadRequest,
		"ref=nothing": ipc.CodeNotFound, "ref=rot_aaaaaaaaaaaaaaaa": ipc.CodeNotFound,
	} {
		if err := r.call("GET", "/v1/log?"+query, nil, nil); err == nil || err.Code != want || err.Hint == "" {
			t.Errorf("%s: %+v, want %s", query, err, want)
		}
	}
	if n := len(r.entries("", "")); n != 0 {
		t.Errorf("a new log has %d entries", n)
	}
}

// TestFollow reads a log over a real connection while it grows.
func TestFollow(t *testing.T) {
	cfg := newPlace(t).config(t)
	stop := run(t, cfg)
	client := &ipc.Client{Socket: cfg.Socket}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	st, err := store.Open(t.Context(), cfg.StateDir, cfg.Key, store.Options{}) // a second hand on the same database
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	add := func(n int) {
		t.Helper()
		if err := st.AddLog(t.Context(), store.LogEntry{Kind: store.LogApproved, Generation: n}); err != nil {
			t.Fatal(err)
		}
	}
	for n := 1; n <= 5; n++ {
		add(n)
	}
	want := 4
	for line, err := range client.Lines(ctx, ipc.PathLog+"?limit=2&follow=1") {
		if err != nil {
			t.Fatal(err)
		}
		var e ipc.LogEntry
		if err := json.Unmarshal(line, &e); err != nil || e.Generation != want {
			t.Fatalf("got %s (%v), want generation %d", line, err, want)
		}
		if want++; want > 8 {
			break
		}
		if want > 5 {
			add(want)
		}
	}
	// A follower does not keep the daemon from stopping.
	next, done := make(chan error, 1), make(chan error, 1)
	go func() {
		for _, err := range client.Lines(t.Context(), ipc.PathLog+"?limit=1&follow=1") {
			next <- err
		}
		close(done)
	}()
	if err := <-next; err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := <-next; err == nil {
		t.Error("the stream ended well")
	}
	<-done
}

func TestReadsAreWrittenSoon(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	r.token(rot)
	r.await("the read in the log", func() bool { return len(r.entries(rot, store.LogRead)) == 1 })
}
