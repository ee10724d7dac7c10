package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/ipc/socket"
)

// noRaceSleep keeps a program with the race detector from sleeping a second at
// its end.
const noRaceSleep = "atexit_sleep_ms=0"

const testToken = "npm_d2cJEXAMPLE"

// serveToken is a rotd that knows a ROT called ci, one of npm's public registry
// called public, one called old of which it gives no leases, and one
// called odd whose value no token has.
func serveToken(socket string) (stop func(), err error) {
	return serve(socket, "GET "+ipc.PathToken, func(w http.ResponseWriter, r *http.Request) {
		tok := ipc.Token{ROT: "rot://rot_a2c4", Generation: 1, Value: secret.NewWire(testToken), Registry: "http://localhost:4873"}
		switch r.PathValue("ref") {
		case "ci", "old":
			tok.Expires = new(time.Date(2099, 6, 20, 0, 0, 0, 0, time.UTC))
		case "odd":
			tok.Value = secret.NewWire("it's $HOME\n'\"\\")
		case "public":
			tok.DefaultRegistry = true
		default:
			w.WriteHeader(http.StatusNotFound)
			json.NewEncoder(w).Encode(ipc.ErrorBody{Error: &ipc.Error{Code: ipc.CodeNotFound, Message: "no such reference", Hint: "rot ls"}})
			return
		}
		tok.Lease = r.URL.Query().Has("lease") && r.PathValue("ref") != "old"
		json.NewEncoder(w).Encode(tok)
		if tok.Lease {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	})
}

// serveQuestion is a rotd that asks for a password and waits.
func serveQuestion(socket string) (stop func(), err error) {
	return serve(socket, "POST "+ipc.PathPasscards, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		json.NewEncoder(w).Encode(ipc.Event{Question: &ipc.Question{ID: "1", Kind: ipc.AskPassword, Text: "password", Secret: true}})
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
}

func serve(path, route string, h http.HandlerFunc) (stop func(), err error) {
	mux := http.NewServeMux()
	mux.HandleFunc(route, h)
	return serveMux(path, mux)
}

func serveMux(path string, mux *http.ServeMux) (stop func(), err error) {
	ln, err := socket.Listen(context.Background(), path)
	if err != nil {
		return nil, err
	}
	srv := &http.Server{Handler: mux}
	go srv.Serve(ln)
	return func() { srv.Close() }, nil
}

// runtimeDir is short enough for a socket.
func runtimeDir() (string, error) { return os.MkdirTemp("", "t") }

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			dir, err := runtimeDir()
			if err != nil {
				return err
			}
			env.Defer(func() { os.RemoveAll(dir) })
			stop, err := serveToken(filepath.Join(dir, "s"))
			if err != nil {
				return err
			}
			env.Defer(stop)
			env.Setenv("GORACE", noRaceSleep)
			env.Setenv("ROTD_SOCKET", filepath.Join(dir, "s"))
			env.Setenv("XDG_RUNTIME_DIR", dir)
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			// exits STATUS COMMAND… is exec for a command that ends with that status.
			"exits": func(ts *testscript.TestScript, _ bool, args []string) {
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				got := 0
				var exit *exec.ExitError
				if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
					got = exit.ExitCode()
				}
				if got != want {
					ts.Fatalf("exit status %d, want %d", got, want)
				}
			},
		},
	})
}
