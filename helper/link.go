package helper

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

	"rotd/helper/npmrc"
	"rotd/ipc"
	"rotd/ipc/fmt"
	"rotd/ipc/secret"
)

// linkCommand is the delivery that keeps a file current: this program, which
// gets the value on its standard input. The scopes are those whose registry the
// link has written into the file.
func linkCommand(program, registry, file string, scopes []string) []string {
	argv := []string{program, "npmrc", fromStdin, "--registry", registry, "--file", file}
	for _, scope := range scopes {
		argv = append(argv, "--scope", scope)
	}
	return argv
}

// fromStdin, as a reference, is whatever value stands on the standard input.
const fromStdin = "-"

// linkOf is the registry of a link and its scopes, where d is one for the file.
func linkOf(d ipc.Delivery, file string) (registry string, scopes []string, ok bool) {
	if len(d.Command) < 7 {
		return "", nil, false
	}
	registry = d.Command[4]
	for i := 8; i < len(d.Command); i += 2 {
		scopes = append(scopes, d.Command[i])
	}
	ok = slices.Equal(d.Command[1:], linkCommand("", registry, file, scopes)[1:])
	return registry, scopes, ok
}

// registryOf is the registry of a link, where d is one for the file.
func registryOf(d ipc.Delivery, file string) (registry string, ok bool) {
	registry, _, ok = linkOf(d, file)
	return registry, ok
}

// link has rotd keep the file current.
func (c *call) link(ctx context.Context, ref string, o npmrcFlags) error {
	tok, err := c.token(ctx, ref)
	if err != nil {
		return err
	}
	program, err := c.rotProgram()
	if err != nil {
		return err
	}
	all, err := c.deliveries(ctx, ref)
	if err != nil {
		return err
	}
	src, _ := os.ReadFile(o.file) // the delivery says what is wrong with it
	if _, _, err := npmrc.Edit(src, tok.Registry, tok.Value.Text); err != nil {
		return explainNpmrc(o.file, err) // rather than by every try of rotd's
	}
	scopes := newScopes(src, o.scopes, tok.Registry)
	for _, d := range all {
		if _, had, ok := linkOf(d, o.file); ok {
			scopes = union(had, scopes)
		}
	}
	want := linkCommand(program, tok.Registry, o.file, scopes)
	for _, d := range all {
		if _, ok := registryOf(d, o.file); ok && !slices.Equal(d.Command, want) {
			if err := c.removeDelivery(ctx, ref, d.Name); err != nil { // of a rot that stood elsewhere
				return err
			}
		}
	}
	c.warnShadows(tok.Registry, o.file, nil)
	return c.deliver(ctx, ref, ipc.Deliver{Command: want})
}

// rotProgram is the path of rot, also where rotd has taken its place.
func (c *call) rotProgram() (string, error) {
	program, err := os.Executable()
	if err != nil {
		return "", local("", "find out where rot is: %v", err)
	}
	if filepath.Base(program) != deskProgram {
		return program, nil
	}
	if program = c.findProgram("rot"); program == "" {
		return "", local("install rot beside rotd, or have its directory in PATH", "there is no rot beside rotd, nor in PATH")
	}
	return program, nil
}

// newScopes are those that the file does not take from the registry yet.
func newScopes(src []byte, scopes []string, registry string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool { return npmrc.HasScope(src, scope, registry) })
}

func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

// unlink has rotd leave the file alone, and takes out of it what the link wrote.
func (c *call) unlink(ctx context.Context, ref, file string) error {
	all, err := c.deliveries(ctx, ref)
	if err != nil {
		return err
	}
	found := false
	for _, d := range all {
		registry, scopes, ok := linkOf(d, file)
		if !ok {
			continue
		}
		found = true
		if err := c.removeDelivery(ctx, ref, d.Name); err != nil {
			return err
		}
		rep, err := npmrc.Remove(file, registry, scopes...)
		var placeholder *npmrc.PlaceholderError
		if errors.As(err, &placeholder) { // somebody's who has edited the file
			c.warn(fmt.Sprintf("%s is not edited: %v", file, err))
			continue
		}
		if err != nil {
			return explainNpmrc(file, err)
		}
		for _, line := range rep.Others {
			c.warn(fmt.Sprintf("line %d of %s sets the same, and stays: delete it if its token is not wanted", line, rep.Path))
		}
	}
	if !found {
		return local("rot deliver "+ref+" --list shows what is", "%s is not linked", file)
	}
	return nil
}

// maxValue is more than any token has.
const maxValue = 64 << 10

// readValue reads a value from the standard input.
func (c *call) readValue() (secret.Text, error) {
	b, err := io.ReadAll(io.LimitReader(c.Stdin, maxValue))
	if err != nil {
		return secret.Text{}, local("", "read the standard input: %v", err)
	}
	return secret.New(string(b)), nil
}
