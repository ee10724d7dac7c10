package daemon

import (
	"context"
	"net/http/httptest"
	"os"
	"testing"

	"rotd/ipc"
	"rotd/ipc/socket"
)

// TestTheDoor walks the table of paths: each says who may call it, and nobody
// else gets in.
func TestTheDoor(t *testing.T) {
	me := uint32(os.Getuid())
	callers := []struct {
		name string
		peer *socket.Peer // nil: the kernel did not say
		may  map[access]bool
	}{
		{"the owner", &socket.Peer{UID: me}, map[access]bool{accessOwner: true, accessReader: true, accessAnyone: true}},
		{"root", &socket.Peer{UID: 0}, map[access]bool{accessOwner: true, accessReader: true, accessAnyone: true}},
		{"a stranger", &socket.Peer{UID: me + 1}, map[access]bool{accessAnyone: true}},
		{"nobody knows who", nil, nil},
	}
	for _, rt := range routes {
		if rt.need < accessOwner || rt.need > accessAnyone {
			t.Errorf("%s %s does not say who may call it", rt.method, rt.path)
		}
		for _, c := range callers {
			r := httptest.NewRequest(rt.method, "http://rotd/", nil)
			if c.peer != nil {
				r = r.WithContext(context.WithValue(r.Context(), peerKey{}, *c.peer))
			}
			if err := admit(r, rt.need); (err == nil) != c.may[rt.need] {
				t.Errorf("%s %s by %s: %v, want admitted %v", rt.method, rt.path, c.name, err, c.may[rt.need])
			} else if err != nil && err.Code != ipc.CodeNotAllowed {
				t.Errorf("%s %s by %s is refused as %s", rt.method, rt.path, c.name, err.Code)
			}
		}
	}
}

func TestAnyoneLearnsNothing(t *testing.T) {
	for _, rt := range routes {
		if rt.need == accessAnyone && rt.path != ipc.PathVersion {
			t.Errorf("%s is open to everybody: say here why", rt.path)
		}
	}
}

func TestRequestsByWayOfABrowser(t *testing.T) {
	for _, c := range []struct {
		host, header, value string
		want                bool
	}{
		{"rotd", "", "", false},
		{"localhost", "", "", false},
		{"", "", "", false},
		{"localhost:4899", "", "", true},
		{"attacker.example", "", "", true},
		{"rotd", "Origin", "http://localhost", true},
		{"rotd", "Origin", "null", true},
		{"rotd", "Referer", "http://localhost/x", true},
	} {
		r := httptest.NewRequest("GET", "http://x/v1/version", nil)
		r.Host = c.host
		if c.header != "" {
			r.Header.Set(c.header, c.value)
		}
		if got := fromBrowser(r); got != c.want {
			t.Errorf("Host %q, %s %q: %v, want %v", c.host, c.header, c.value, got, c.want)
		}
	}
}
