package daemon

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"rotd/ipc/socket"
	"rotd/store"
)

// BenchmarkGet is a value over the socket: for the owner, and by each right that
// somebody else can have.
func BenchmarkGet(b *testing.B) {
	r := newRig(b)
	_, rot := r.first()
	st := r.d.store.Load()
	text := newAccessToken()
	_, _, err := st.AddTokenGrant(b.Context(), rot, "bench", accessHash(text), r.clock().AddDate(1, 0, 0), nil)
	if err == nil {
		_, err = st.AddGrant(b.Context(), store.Grant{ROT: rot, Kind: store.GrantUID, Subject: number(grantedUID)}, nil)
	}
	if err != nil {
		b.Fatal(err)
	}
	r.d.users.look = doorUsers
	for _, c := range []struct {
		name, bearer string
		uid          uint32
	}{
		{"owner", "", uint32(os.Getuid())},
		{"access-token", "Bearer " + text.Reveal(), uint32(os.Getuid())},
		{"uid", "", grantedUID},
	} {
		b.Run(c.name, func(b *testing.B) {
			dir, err := os.MkdirTemp("", "t")
			if err != nil {
				b.Fatal(err)
			}
			defer os.RemoveAll(dir)
			path := filepath.Join(dir, "s")
			ln, err := socket.Listen(b.Context(), path)
			if err != nil {
				b.Fatal(err)
			}
			srv := r.d.server()
			enter := srv.ConnContext
			srv.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
				return context.WithValue(enter(ctx, conn), peerKey{}, socket.Peer{UID: c.uid, GID: nobodies})
			}
			go srv.Serve(ln)
			defer srv.Close()
			client := &http.Client{Transport: &http.Transport{
				DisableKeepAlives: true, // as rot does
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return (&net.Dialer{}).DialContext(ctx, "unix", path)
				},
			}}
			for b.Loop() {
				if err := benchGet(client, "http://rotd/v1/rots/"+rot+"/token", c.bearer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchGet(client *http.Client, url, bearer string) error {
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return err
	}
	if bearer != "" {
		req.Header.Set("Authorization", bearer)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return err
}
