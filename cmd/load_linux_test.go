package cmd_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// loadClients keep a connection open each, and ask on it for one value after the
// other, each once it has the one before.
const loadClients = 64

// load is what they saw.
type load struct {
	rate float64 // answers a second
	p99  time.Duration
}

// client is one of them.
type client struct {
	request func() []byte
	asked   time.Time
	answer  []byte
	n       int // bytes of it
}

// ask has loadClients ask for some time. As they have the processors in common
// with the daemon, one goroutine plays all of them, with nothing of net/http.
func ask(tb testing.TB, socket string, how time.Duration, request func() []byte) (l load) {
	tb.Helper()
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		tb.Fatal(err)
	}
	defer unix.Close(poll)
	clients := make(map[int32]*client, loadClients)
	for range loadClients {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			defer unix.Close(fd)
			err = unix.Connect(fd, &unix.SockaddrUnix{Name: socket})
		}
		if err == nil {
			err = unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
		}
		if err != nil {
			tb.Fatal(err)
		}
		clients[int32(fd)] = &client{request: request, answer: make([]byte, 4096)}
	}
	for fd, c := range clients {
		if err := c.ask(int(fd)); err != nil {
			tb.Fatal(err)
		}
	}
	var took []time.Duration
	begin := time.Now()
	for events := make([]unix.EpollEvent, loadClients); time.Since(begin) < how; {
		n, err := unix.EpollWait(poll, events, 1000)
		if err != nil && err != unix.EINTR {
			tb.Fatal(err)
		}
		for _, e := range events[:max(n, 0)] {
			c := clients[e.Fd]
			whole, err := c.hear(int(e.Fd))
			if whole {
				took = append(took, time.Since(c.asked))
				err = c.ask(int(e.Fd))
			}
			if err != nil {
				tb.Fatal(err)
			}
		}
	}
	l.rate = float64(len(took)) / time.Since(begin).Seconds()
	slices.Sort(took)
	l.p99 = took[len(took)*99/100]
	return l
}

func (c *client) ask(fd int) error {
	c.n, c.asked = 0, time.Now()
	_, err := unix.Write(fd, c.request())
	return err
}

// hear reads what there is of an answer, which ends as JSON of rotd's does.
func (c *client) hear(fd int) (whole bool, err error) {
	n, err := unix.Read(fd, c.answer[c.n:])
	if err != nil {
		return false, err
	}
	c.n += n
	got := c.answer[:c.n]
	if n == 0 || !bytes.HasPrefix(got, []byte("HTTP/1.1 200 ")) {
		return false, fmt.Errorf("the answer is %q", got)
	}
	return bytes.HasSuffix(got, []byte("}\n")), nil
}

// get asks for the value of a ROT, with an access token where it is not empty.
func get(ref, token string) []byte {
	if token != "" {
		token = "Authorization: Bearer " + token + "\r\n"
	}
	return []byte("GET /v1/rots/" + ref + "/token HTTP/1.1\r\nHost: rotd\r\n" + token + "\r\n")
}

// bareEnv makes this test binary a server of net/http's with nothing behind it,
// on the socket that it names.
const bareEnv = "ROTD_TEST_BARE"

func init() { disguises[bareEnv] = serveBare }

func serveBare(socket string) int {
	ln, err := net.Listen("unix", socket)
	if err == nil {
		err = http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintln(w, `{"rot":"rot://rot_7s262x7uzsrozc43","generation":1,"value":"npm_0123456789012345678901234567EXAMPLE","expires":"2027-02-22T01:57:44.335Z","registry":"http://localhost:1"}`)
		}))
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// bareServer starts such a server, until the end.
func bareServer(b *testing.B) (socket string) {
	b.Helper()
	dir, err := os.MkdirTemp("", "t")
	if err != nil {
		b.Fatal(err)
	}
	socket = filepath.Join(dir, "s")
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), bareEnv+"="+socket)
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		_ = os.RemoveAll(dir)
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("unix", socket); err == nil {
			c.Close()
			return socket
		} else if time.Now().After(deadline) {
			b.Fatal(err)
		}
	}
}
