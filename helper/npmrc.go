package helper

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"rotd/helper/npmrc"
	"rotd/ipc"
	"rotd/ipc/fmt"
	"rotd/ipc/secret"
)

var npmrcCommand = command{
	name: "npmrc",
	line: "write the present value into an .npmrc",
	run:  runNpmrc,
	help: `rot npmrc rot://rot_a2c4q7
rot npmrc ci --file /srv/build/.npmrc
rot npmrc ci --link
rot npmrc ci --json

usage: rot npmrc REF [--file F] [--link | --unlink] [--json]

Sets //HOST/PATH/:_authToken= for the ROT's registry, in the file that npm
reads as yours: NPM_CONFIG_USERCONFIG, else ~/.npmrc. Every other byte of the
file stays. It is replaced in one step, symbolic links are followed, and others
may not read it afterwards (0600).

The file has the value of this moment: run it again after a rotation, or let
rotd do that: --link makes it a delivery (rot help deliver). A line
that takes its value from the environment, as
//HOST/:_authToken=${NPM_TOKEN}, is not touched: keep it, and use rot exec.

  --file F       another file; its directory must exist
  --link         keep the file current from now on
  --unlink       no longer, and take the line out of it
  --json         {"file","key","changed"}
  --access-token-file F
                 show the access token in it (else that in ROT_ACCESS_TOKEN)
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

func runNpmrc(ctx context.Context, c *call, args []string) error {
	fs := c.readFlags()
	file := fs.String("file", "", "")
	link := fs.Bool("link", false, "")
	unlink := fs.Bool("unlink", false, "")
	registry := fs.String("registry", "", "") // of fromStdin
	ref, err := c.parseRef(fs, args)
	if err != nil {
		return err
	}
	if *file == "" {
		if *file, err = c.userConfig(); err != nil {
			return err
		}
	}
	var value secret.Text
	switch {
	case *link && *unlink:
		return c.usage("--link and --unlink contradict each other")
	case *link:
		return c.link(ctx, ref, c.absolute(*file))
	case *unlink:
		return c.unlink(ctx, ref, c.absolute(*file))
	case ref == fromStdin:
		if value, err = c.readValue(); err != nil {
			return err
		}
	default:
		tok, err := c.token(ctx, ref)
		if err != nil {
			return err
		}
		*registry, value = tok.Registry, tok.Value.Text
	}
	rep, err := npmrc.Update(*file, *registry, value)
	if err != nil {
		return explainNpmrc(*file, err)
	}
	for _, line := range rep.Others {
		c.warn(fmt.Sprintf("line %d of %s names a token for the same registry too, and npm does not use it: delete that line", line, rep.Path))
	}
	if ref != fromStdin {
		c.warnShadows(*registry, *file, nil)
	}
	if c.json {
		return c.printJSON(struct {
			File    string `json:"file"`
			Key     string `json:"key"`
			Changed bool   `json:"changed"`
		}{rep.Path, rep.Key, rep.Changed})
	}
	what := "has it already"
	if rep.Changed {
		what = "written"
	}
	c.done(fmt.Sprintf("%s %s: %s", rep.Path, what, rep.Key))
	return nil
}

// userConfig is the file that npm reads as the user's own.
func (c *call) userConfig() (string, error) {
	if path := c.npmConfig("userconfig"); path != "" {
		return path, nil
	}
	home := c.Getenv("HOME")
	if home == "" {
		return "", local("name the file: --file F", "HOME is not set, so there is no ~/.npmrc")
	}
	return filepath.Join(home, ".npmrc"), nil
}

// explainNpmrc says what to do about an .npmrc that cannot be edited.
func explainNpmrc(file string, err error) error {
	var placeholder *npmrc.PlaceholderError
	hint := "see what is in that file, or name another: --file F"
	switch {
	case errors.As(err, &placeholder):
		hint = "keep the line and set its variable for one command: rot exec REF -- CMD; or delete it and run this again"
	case errors.Is(err, npmrc.ErrBusy):
		hint = "wait until that is done, and run this again"
	case errors.Is(err, npmrc.ErrValue), errors.Is(err, npmrc.ErrRegistry):
		hint = "rot exec REF -- CMD hands the token over by environment"
	case errors.Is(err, fs.ErrNotExist):
		hint = "make its directory first, or name another file: --file F"
	case errors.Is(err, fs.ErrPermission):
		hint = "name a file of your own: --file F"
	}
	return &ipc.Error{Code: ipc.CodeLocal, Message: fmt.Sprintf("cannot edit %s: %v", file, err), Hint: hint}
}
