package ipc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rotd/ipc/secret"
)

// socketDir is short enough for a socket's path, which t.TempDir is not.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "t")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// serve answers on a socket as rotd does, with net/http, and returns a client.
func serve(t *testing.T, h http.Handler) *Client {
	t.Helper()
	path := filepath.Join(socketDir(t), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	return &Client{Socket: path}
}

func TestGetAndPost(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+PathToken, func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "rotd" || r.ProtoMinor != 0 {
			t.Errorf("Host %q, %s", r.Host, r.Proto)
		}
		json.NewEncoder(w).Encode(Token{ROT: r.PathValue("ref"), Value: secret.NewWire("npm_EXAMPLE")})
	})
	mux.HandleFunc("POST "+PathAnswer, func(w http.ResponseWriter, r *http.Request) {
		var a Answer
		if err := json.NewDecoder(r.Body).Decode(&a); err != nil || a.Value.Reveal() != "1234" || r.PathValue("id") != "q1" {
			t.Errorf("answer %v to %q", err, r.PathValue("id"))
		}
		w.WriteHeader(http.StatusNoContent)
	})
	c := serve(t, mux)

	for _, ref := range []string{"rot_a2c4", "my token/½", "..", "%2e", "a?b#c"} {
		var tok Token
		if err := c.Get(t.Context(), Path(PathToken, ref), &tok); err != nil {
			t.Fatalf("%q: %v", ref, err)
		}
		if tok.ROT != ref || tok.Value.Reveal() != "npm_EXAMPLE" {
			t.Errorf("asked for %q, got %q", ref, tok.ROT)
		}
	}
	if err := c.Post(t.Context(), Path(PathAnswer, "q1"), Answer{secret.NewWire("1234")}, nil); err != nil {
		t.Error(err)
	}
}

func TestALongAnswerComesWhole(t *testing.T) {
	want := strings.Repeat("x", 1<<20) // net/http sends no Content-Length with it
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(Version{Version: want})
	}))
	var v Version
	if err := c.Get(t.Context(), PathVersion, &v); err != nil || v.Version != want {
		t.Errorf("%d bytes, %v", len(v.Version), err)
	}
}

func TestRefusalIsAnError(t *testing.T) {
	want := Error{Code: CodeRateLimited, Message: "npm says slow down", Hint: "wait", RetryAfter: 7}
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(want.Code.HTTPStatus())
		json.NewEncoder(w).Encode(ErrorBody{Error: &want})
	}))
	for name, err := range map[string]error{
		"Get":  c.Get(t.Context(), PathStatus, &Status{}),
		"Post": c.Post(t.Context(), PathStatus, struct{}{}, nil),
		"Stream": func() error {
			_, err := collect(c, t.Context())
			return err
		}(),
	} {
		var got *Error
		if !errors.As(err, &got) || *got != want {
			t.Errorf("%s: %#v, want %#v", name, err, want)
		}
	}
}

// collect reads a stream to its end.
func collect(c *Client, ctx context.Context) (events []Event, err error) {
	for ev, err := range c.Stream(ctx, PathPasscards, Connect{}) {
		if err != nil {
			return events, err
		}
		events = append(events, ev)
	}
	return events, nil
}

func TestStreamYieldsEventsAsTheyCome(t *testing.T) {
	seen := make(chan bool)
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		enc := json.NewEncoder(w)
		for _, name := range []string{"planned", "created"} {
			enc.Encode(Event{Step: &Step{Name: name}})
			w.(http.Flusher).Flush()
			<-seen // not before the client has it
		}
		enc.Encode(Event{Result: &Result{Passcard: "rot://pas_1"}})
	}))
	var got []string
	for ev, err := range c.Stream(t.Context(), PathPasscards, Connect{}) {
		switch {
		case err != nil:
			t.Fatal(err)
		case ev.Step != nil:
			got = append(got, ev.Step.Name)
			seen <- true
		case ev.Result != nil:
			got = append(got, ev.Result.Passcard)
		}
	}
	if want := "[planned created rot://pas_1]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestStreamEndsInItsError(t *testing.T) {
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"step":{"name":"a"}}`+"\n"+`{"error":{"code":"refused","message":"no"}}`+"\n"+`{"step":{"name":"b"}}`+"\n")
	}))
	events, err := collect(c, t.Context())
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeRefused || len(events) != 1 {
		t.Errorf("%v, %v", events, err)
	}
}

func TestLeavingAStreamHangsUp(t *testing.T) {
	gone := make(chan struct{})
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // net/http watches the connection from its end on
		io.WriteString(w, `{"step":{"name":"a"}}`+"\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(gone)
	}))
	for range c.Stream(t.Context(), PathPasscards, Connect{}) {
		break
	}
	<-gone
}

func TestTheContextEndsACall(t *testing.T) {
	arrived := make(chan struct{})
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	}))
	why := errors.New("the user pressed Ctrl-C")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() { <-arrived; cancel(why) }()
	if err := c.Get(ctx, PathStatus, &Status{}); !errors.Is(err, why) {
		t.Errorf("%v, want %v", err, why)
	}
}

// TestBrokenAnswers has something else than rotd behind the socket, or a rotd
// that dies while it answers.
func TestBrokenAnswers(t *testing.T) {
	const head = "HTTP/1.0 200 OK\r\n"
	const secretText = "npm_EXAMPLESECRET"
	for name, tc := range map[string]struct{ answer, want string }{
		"nothing":           {"", "hung up"},
		"half a status":     {"HTTP/1.0 20", "hung up"},
		"no header end":     {head + "Content-Type: x\r\n", "hung up"},
		"not HTTP":          {"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"},
		"not a header":      {head + "hello\r\n\r\n", "not HTTP"},
		"no status":         {"HTTP/1.1 OK\r\n\r\n", "not HTTP"},
		"one long line":     {strings.Repeat("x", 1<<16), "not HTTP"},
		"endless header":    {head + strings.Repeat("A: b\r\n", 5000), "no end"},
		"negative length":   {head + "Content-Length: -1\r\n\r\n", "length"},
		"huge length":       {head + "Content-Length: 99999999999\r\n\r\n", "length"},
		"chunked":           {head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "encoded"},
		"body cut off":      {head + "Content-Length: 100\r\n\r\n{\"value\":", "hung up"},
		"JSON cut off":      {head + "\r\n{\"value\":\"" + secretText, "not JSON"},
		"HTML":              {head + "\r\n<html>" + secretText, "not JSON"},
		"another JSON":      {head + "\r\n{\"generation\":\"" + secretText + "\"}", "another form"},
		"error of another":  {"HTTP/1.0 502 Bad Gateway\r\n\r\n<html>" + secretText, "status 502"},
		"error of no code":  {"HTTP/1.0 500 X\r\n\r\n{\"error\":{\"message\":\"x\"}}", "status 500"},
		"redirect":          {"HTTP/1.0 307 X\r\nLocation: /\r\n\r\n", "status 307"},
		"too long a stream": {head + "\r\n{\"step\":{\"name\":\"" + strings.Repeat("x", 2<<20), "token too long"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &Client{Socket: "/s", Dial: func(context.Context, string) (io.ReadWriteCloser, error) {
				near, far := net.Pipe()
				go func() {
					go io.Copy(io.Discard, far)
					io.WriteString(far, tc.answer)
					far.Close()
				}()
				return near, nil
			}}
			err := c.Get(t.Context(), "/v1/rots/x/token", &Token{})
			if strings.Contains(name, "stream") {
				_, err = collect(c, t.Context())
			}
			var p *ProtocolError
			if !errors.As(err, &p) || !strings.Contains(err.Error(), tc.want) || p.Hint() == "" {
				t.Errorf("%v, want %q", err, tc.want)
			}
			if strings.Contains(fmt.Sprint(err), secretText) {
				t.Errorf("the error quotes the answer: %v", err)
			}
		})
	}
}

func TestBrokenStreams(t *testing.T) {
	for name, tc := range map[string]struct{ lines, want string }{
		"ends without a result": {`{"step":{"name":"a"}}` + "\n", "hung up"},
		"ends in a line":        {`{"step":{"na`, "not JSON"},
		"an empty event":        {"{}\n", "does not know"},
		"not an object":         {"[]\n", "another form"},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, tc.lines)
			}))
			_, err := collect(c, t.Context())
			var p *ProtocolError
			if !errors.As(err, &p) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

func TestDialErrorsNameTheirCause(t *testing.T) {
	dir := socketDir(t)
	dead := filepath.Join(dir, "dead")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "rotd is not running (no socket at " + dir,
		dead:                       "nothing listens behind " + dead,
		file:                       "is not a socket",
		dir:                        "is not a socket",
		filepath.Join(dir, strings.Repeat("x", 120)): "bytes long",
	} {
		err := (&Client{Socket: path}).Get(t.Context(), PathStatus, &Status{})
		var d *DialError
		if !errors.As(err, &d) || !strings.Contains(err.Error(), want) || d.Hint() == "" {
			t.Errorf("%s: %v, want %q and a hint", path, err, want)
		}
	}
	// Root may use every socket, so this cause is made by hand.
	denied := &DialError{Path: "/s", Cause: &net.OpError{Op: "dial", Err: syscall.EACCES}}
	if !strings.Contains(denied.Error(), "may not use") || denied.Hint() == "" {
		t.Error(denied)
	}
}

// TestARotdThatDoesNotAnswer: not at all, or not to the end.
func TestARotdThatDoesNotAnswer(t *testing.T) {
	for name, begin := range map[string]string{"at all": "", "to the end": "{"} {
		done := make(chan struct{})
		c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if begin != "" {
				io.WriteString(w, begin)
				w.(http.Flusher).Flush()
			}
			<-done
		}))
		c.patience = 50 * time.Millisecond
		var tok Token
		err := c.Get(t.Context(), Path(PathToken, "ci"), &tok)
		close(done)
		var e *ProtocolError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), "did not answer in time") || e.Hint() == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
