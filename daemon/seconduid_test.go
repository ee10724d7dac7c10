package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"rotd/ipc"
	"rotd/ipc/socket"
)

// knockEnv makes this test binary somebody at the door: it makes the requests
// that stand on its standard input, and prints the answers.
const knockEnv = "ROTD_TEST_KNOCK"

type knock struct{ Method, Path, Token, Body string }

type answered struct {
	Status int
	Body   string
}

func TestMain(m *testing.M) {
	if path := os.Getenv(knockEnv); path != "" {
		if err := knockAt(path, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if path := os.Getenv(forgeEnv); path != "" {
		got, err := forge(path)
		fmt.Print(got)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func knockAt(path string, in io.Reader, out io.Writer) error {
	var list []knock
	if err := json.NewDecoder(in).Decode(&list); err != nil {
		return err
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial}}
	all := make([]answered, 0, len(list))
	for _, k := range list {
		req, err := http.NewRequest(k.Method, "http://rotd"+k.Path, strings.NewReader(k.Body))
		if err != nil {
			return err
		}
		if k.Token != "" {
			req.Header.Set("Authorization", "Bearer "+k.Token)
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		all = append(all, answered{resp.StatusCode, string(body)})
	}
	return json.NewEncoder(out).Encode(all)
}

// TestTheDoorByRealProcesses is TestTheDoor over a socket: the callers are
// processes of other users, and the kernel says which. Only root can start them.
func TestTheDoorByRealProcesses(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root starts processes of other users")
	}
	r := newRig(t)
	r.d.users.look = doorUsers
	_, rot := r.first()
	res, werr := r.stream("/v1/rotations/"+r.passcardOf(rot), ipc.Rotate{Name: "other", Shape: publish})
	if werr != nil {
		t.Fatal(werr)
	}
	callers := doorCallers(r.grants(rot, bare(res.Rotations[0].ROT)))
	sock, program := r.openDoor()
	for _, c := range callers {
		var list []knock
		for _, rt := range routes {
			list = append(list, knock{rt.method, pathOf(rt, rot), c.token, "no JSON"})
		}
		list = append(list, knock{"GET", "/v1/rots/rot_aaaaaaaaaaaaaaaa/token", c.token, ""}, knock{"GET", "/v1/nothing", c.token, ""})
		got := r.knock(sock, program, c, list)
		for i, rt := range routes {
			name := fmt.Sprintf("%s %s by %s", rt.method, rt.path, c.name)
			want := slices.Contains(c.may, rt.need) && (rt.need != accessReader || c.reads)
			refused := strings.Contains(got[i].Body, `"code":"not_allowed"`)
			if refused == want || refused != (got[i].Status == http.StatusForbidden) {
				t.Errorf("%s: %d %s, want admitted %v", name, got[i].Status, got[i].Body, want)
			}
			if holds := strings.Contains(got[i].Body, "npm_"); holds != (want && rt.path == ipc.PathToken) {
				t.Errorf("%s: is there a token in it: %v: %s", name, holds, got[i].Body)
			}
		}
		none := ipc.CodeNotAllowed
		if c.uid == 0 && c.token == "" {
			none = ipc.CodeNotFound
		}
		if missing := got[len(routes)]; !strings.Contains(missing.Body, `"code":"`+string(none)+`"`) {
			t.Errorf("what is not there, by %s: %+v", c.name, missing)
		}
		if nothing := got[len(routes)+1]; nothing.Status != http.StatusNotFound {
			t.Errorf("a path that is not there, by %s: %+v", c.name, nothing)
		}
		r.d.strikes.mu.Lock()
		r.d.strikes.uid = nil
		r.d.strikes.mu.Unlock()
	}
}

// openDoor serves the rig at a socket that every user reaches, and returns it
// with a program of ours that every user may run.
func (r *rig) openDoor() (sock, program string) {
	r.t.Helper()
	dir, err := os.MkdirTemp("", "t")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { os.RemoveAll(dir) })
	sock, program = filepath.Join(dir, "s"), filepath.Join(dir, "knock")
	ln, err := socket.Listen(r.t.Context(), sock)
	if err != nil {
		r.t.Fatal(err)
	}
	srv := r.d.server()
	go srv.Serve(ln)
	r.t.Cleanup(func() { srv.Close() })
	self, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(program, self, 0o755)
	}
	for _, path := range []string{dir, program, sock} {
		if err == nil {
			err = os.Chmod(path, 0o777)
		}
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return sock, program
}

// knock has a process of c's make the requests.
func (r *rig) knock(sock, program string, c caller, list []knock) []answered {
	r.t.Helper()
	in, err := json.Marshal(list)
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Dir = "/"
	cmd.Env = []string{knockEnv + "=" + sock, "GORACE=atexit_sleep_ms=0"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.uid, Gid: c.gid}}
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	var got []answered
	if err == nil {
		err = json.Unmarshal(out, &got)
	}
	if err != nil || len(got) != len(list) {
		r.t.Fatalf("%s: %v (%d answers)", c.name, err, len(got))
	}
	return got
}
