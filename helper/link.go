package helper

import (
	"context"
	"io"
	"os"
	"slices"

	"rotd/helper/npmrc"
	"rotd/ipc"
	"rotd/ipc/secret"
)

// linkCommand is the delivery that keeps a file current: this program, which
// gets the value on its standard input.
func linkCommand(program, registry, file string) []string {
	return []string{program, "npmrc", fromStdin, "--registry", registry, "--file", file}
}

// fromStdin, as a reference, is whatever value stands on the standard input.
const fromStdin = "-"

// registryOf is the registry of a link, where d is one for the file.
func registryOf(d ipc.Delivery, file string) (registry string, ok bool) {
	if len(d.Command) != 7 || !slices.Equal(d.Command[1:], linkCommand("", d.Command[4], file)[1:]) {
		return "", false
	}
	return d.Command[4], true
}

// link has rotd keep the file current.
func (c *call) link(ctx context.Context, ref, file string) error {
	tok, err := c.token(ctx, ref)
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return local("", "find out where rot is: %v", err)
	}
	all, err := c.deliveries(ctx, ref)
	if err != nil {
		return err
	}
	want := linkCommand(program, tok.Registry, file)
	for _, d := range all {
		if _, ok := registryOf(d, file); ok && !slices.Equal(d.Command, want) {
			if err := c.removeDelivery(ctx, ref, d.Name); err != nil { // of a rot that stood elsewhere
				return err
			}
		}
	}
	c.warnShadows(tok.Registry, file, nil)
	return c.deliver(ctx, ref, ipc.Deliver{Command: want})
}

// unlink has rotd leave the file alone, and takes the value out of it.
func (c *call) unlink(ctx context.Context, ref, file string) error {
	all, err := c.deliveries(ctx, ref)
	if err != nil {
		return err
	}
	found := false
	for _, d := range all {
		registry, ok := registryOf(d, file)
		if !ok {
			continue
		}
		found = true
		if err := c.removeDelivery(ctx, ref, d.Name); err != nil {
			return err
		}
		if _, err := npmrc.Remove(file, registry); err != nil {
			return explainNpmrc(file, err)
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
