// Command npm-sandbox runs a stand-in for npm's website and registry on
// loopback, for trying rotd without an account and for its tests.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"rotd/daemon/npm/sandbox"
)

const usage = `npm-sandbox is a stand-in for npm's website and registry, on this machine only.

Examples:
  npm-sandbox --listen 127.0.0.1:4899 --user ada --password pw --totp JBSWY3DPEHPK3PXP
  npm-sandbox --listen 127.0.0.1:0 --user ada --password pw --security-key
  curl localhost:4899/-/sandbox/tokens             every token it ever made
  curl localhost:4899/-/sandbox/mail               the codes it mailed
  curl localhost:4899/-/sandbox/switches           what it can be told to do …
  curl localhost:4899/-/sandbox/switches -d '{"revocation_delay":60}'
  curl localhost:4899/-/sandbox/clock -d '{"advance":"48h"}'

When it is ready it prints one line:
  {"site":"http://localhost:4899","registry":"http://localhost:4899"}
npm itself then takes --registry http://localhost:4899.

It has one account and protects nothing: it listens on loopback only, and its
state file holds its secrets in plain text. Give it no real password.

The account's second factor is one of --totp, --security-key and --no-factor;
without any of them it is --no-factor: one-time codes of 8 digits by mail.

Flags:
`

type options struct {
	listen, passwordFile string
	verbose              bool
	config               sandbox.Config
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program; it returns the exit status: 0 after a signal or
// --help, 1 when it cannot start, 2 for flags that make no sense.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := parse(args, stdin, stdout)
	if errors.Is(err, pflag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "npm-sandbox: %v\nnpm-sandbox: try --help\n", err)
		return 2
	}
	if o.verbose {
		o.config.Log = slog.New(slog.NewTextHandler(stderr, nil))
	}
	if err := serve(ctx, o, stdout); err != nil {
		fmt.Fprintf(stderr, "npm-sandbox: %v\n", err)
		return 1
	}
	return 0
}

func parse(args []string, stdin io.Reader, stdout io.Writer) (options, error) {
	var o options
	c := &o.config
	f := pflag.NewFlagSet("npm-sandbox", pflag.ContinueOnError)
	f.SortFlags = false
	f.Usage = func() { fmt.Fprint(stdout, usage, f.FlagUsages()) }
	f.StringVar(&o.listen, "listen", "127.0.0.1:4899", "loopback `address`; port 0 picks one")
	f.StringVar(&c.User, "user", "", "the account's user `name`")
	f.StringVar(&c.Password, "password", "", "its password; a made-up one, since others can see it in the process list")
	f.StringVar(&o.passwordFile, "password-file", "", "read the password from this `file` (- is stdin)")
	f.StringVar(&c.TOTPSecret, "totp", "", "second factor: an authenticator app with this base32 `secret`")
	f.BoolVar(&c.SecurityKey, "security-key", false, "second factor: a security key (GET /-/sandbox/security-key)")
	f.BoolVar(&c.NoFactor, "no-factor", false, "no second factor: codes by mail")
	f.StringSliceVar(&c.Orgs, "org", nil, "organization `name` the account belongs to; may repeat (default acme)")
	f.StringVar(&c.StateFile, "state", "", "keep the state in this `file`, in plain text, mode 0600")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log every request to stderr")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return o, o.complete(stdin)
}

// complete reads the password file and checks what belongs together.
func (o *options) complete(stdin io.Reader) error {
	c := &o.config
	if o.passwordFile != "" {
		if c.Password != "" {
			return errors.New("give --password or --password-file, not both")
		}
		var b []byte
		var err error
		if o.passwordFile == "-" {
			b, err = io.ReadAll(stdin)
		} else {
			b, err = os.ReadFile(o.passwordFile)
		}
		if err != nil {
			return fmt.Errorf("read the password: %w", err)
		}
		c.Password = strings.TrimRight(string(b), "\r\n")
	}
	factors := 0
	for _, given := range []bool{c.TOTPSecret != "", c.SecurityKey, c.NoFactor} {
		if given {
			factors++
		}
	}
	switch {
	case c.User == "":
		return errors.New("--user is missing")
	case c.Password == "":
		return errors.New("--password or --password-file is missing")
	case factors > 1:
		return errors.New("give one of --totp, --security-key and --no-factor")
	}
	return nil
}

// serve listens until ctx ends.
func serve(ctx context.Context, o options, stdout io.Writer) error {
	s, err := sandbox.New(o.config)
	if err != nil {
		return err
	}
	srv, err := s.Listen(o.listen)
	if err != nil {
		return err
	}
	defer srv.Close()
	ready := struct {
		Site     string `json:"site"`
		Registry string `json:"registry"`
	}{srv.URL, srv.URL}
	if err := json.NewEncoder(stdout).Encode(ready); err != nil {
		return fmt.Errorf("say that it is ready: %w", err)
	}
	<-ctx.Done()
	return srv.Close()
}
