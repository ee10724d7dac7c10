package daemon

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"rotd/ipc"
	"rotd/ipc/socket"
)

// FuzzRequest has the owner send any body and any query to any path, about any
// reference. The daemon is one that stops: what takes long, goes out to npm or
// runs a command ends before it begins, and everything else is done. Whatever
// comes, the answer is not a fault of rotd's own.
func FuzzRequest(f *testing.F) {
	r := newRig(f)
	passcard, rot := r.first()
	stopped, stop := context.WithCancel(context.Background())
	stop()
	d := &Daemon{cfg: r.d.cfg, started: r.clock(), wake: make(chan struct{}, 1), stop: stopped, book: newLogbook(), notify: r.told.notify}
	d.begin(r.d.store.Load())
	f.Cleanup(d.work.Wait)
	handler := d.handler()
	me := socket.Peer{UID: uint32(os.Getuid()), PID: int32(os.Getpid())}

	bodies := []string{
		``, `{}`, `[]`, `null`, `{"`, `{"a":1}`, "\x00", `{"value":"1"}`, `{"yes":true}`, `{"ref":"ci","interactive":true}`,
		`{"registry":"` + r.url + `","username":"ada","password":"pw","totp_secret":"x","remember":["password"],"terminal":true}`,
		`{"name":"ci","shape":{"packages_all":true,"permission":"read-write","bypass_2fa":true,"expires_days":90}}`,
		`{"every":"30d"}`, `{"before_expiry":"-1d"}`, `{"every":"99999999999999999d"}`, `{"grace":"1h"}`,
		`{"name":"n","command":["/nonexistent"]}`, `{"name":"\u0000","command":[]}`, `{"kind":"uid","subject":"0"}`,
		strings.Repeat(`{"shape":`, 100) + `1` + strings.Repeat(`}`, 100),
	}
	for i := range routes {
		for j, body := range bodies {
			f.Add(uint8(i), []string{rot, passcard, "rot_", ".."}[j%4], []string{"", "follow=1", "after=-1&limit=0", "ref=%00"}[j%4], []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, ref, query string, body []byte) {
		rt := routes[int(which)%len(routes)]
		path := rt.path
		for strings.Contains(path, "{") {
			path = ipc.Path(path, ref)
		}
		req := httptest.NewRequest(rt.method, "http://rotd"+path, bytes.NewReader(body))
		req.URL = &url.URL{Path: req.URL.Path, RawPath: req.URL.RawPath, RawQuery: query}
		req = req.WithContext(context.WithValue(req.Context(), peerKey{}, me))
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, req)
		answer := rec.Body.String()
		if rec.Code < 200 || strings.Contains(answer, `"code":"`+string(ipc.CodeInternal)+`"`) ||
			rec.Code == http.StatusInternalServerError && !strings.Contains(answer, `"code":"`+string(ipc.CodeBrowserNotFound)+`"`) {
			t.Errorf("%s %s?%s with %q: %d %s", rt.method, req.URL.Path, query, body, rec.Code, answer)
		}
	})
}
