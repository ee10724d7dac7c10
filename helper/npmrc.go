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
rot npmrc ci --scope @acme
rot npmrc ci --file /srv/build/.npmrc
rot npmrc ci --link

usage: rot npmrc REF [--project | --file F] [--scope @S]…
                 [--link | --unlink | --check] [--json]

Sets //HOST/PATH/:_authToken= for the ROT's registry, in the file that npm
reads as yours: NPM_CONFIG_USERCONFIG, else ~/.npmrc. Every other byte of the
file stays. It is replaced in one step, symbolic links are followed, and others
may not read it afterwards (0600).

The file has the value of this moment: run it again after a rotation, or let
rotd do that: --link makes it a delivery (rot help deliver). A line
that takes its value from the environment, as
//HOST/:_authToken=${NPM_TOKEN}, is not touched: keep it, and use rot exec.
A file in a git repository is refused, unless git ignores it. rot warns of
what package managers would take instead: a variable, the project's own file.

  --project      the project's .npmrc, beside the nearest package.json
  --file F       another file; its directory must exist
  --scope @S     take the packages of @S from the ROT's registry, too
  --link         keep the file current from now on
  --unlink       no longer, and take out of it what --link has put there
  --check        write nothing: tell which token npm, pnpm, Yarn and Bun would
                 take here and now, and from where; exit status 1 where one
                 would not take the ROT's
  --client C     of these, npm, pnpm, yarn or bun only
  --json         {"file","key","changed"}, or
                 {"registry","clients":[{"client","ok","at","text"}]}
  --access-token-file F
                 show the access token in it (else that in ROT_ACCESS_TOKEN)
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

// npmrcFlags are what rot npmrc was told.
type npmrcFlags struct {
	file         string
	project      bool
	scopes       []string
	link, unlink bool
	check        bool
	clients      []string // of check
	registry     string   // of fromStdin
}

func runNpmrc(ctx context.Context, c *call, args []string) error {
	var o npmrcFlags
	fs := c.readFlags()
	fs.StringVar(&o.file, "file", "", "")
	fs.BoolVar(&o.project, "project", false, "")
	fs.StringSliceVar(&o.scopes, "scope", nil, "")
	fs.BoolVar(&o.link, "link", false, "")
	fs.BoolVar(&o.unlink, "unlink", false, "")
	fs.BoolVar(&o.check, "check", false, "")
	fs.StringSliceVar(&o.clients, "client", nil, "")
	fs.StringVar(&o.registry, "registry", "", "")
	ref, err := c.parseRef(fs, args)
	if err != nil {
		return err
	}
	if len(o.clients) > 0 && !o.check {
		return c.usage("--client goes with --check")
	}
	if o.check {
		if o.link || o.unlink || o.project || o.file != "" || len(o.scopes) > 0 {
			return c.usage("--check writes nothing, so it goes with --client and --json only")
		}
		return c.partAtDesk(ctx, append([]string{ref}, o.clients...))
	}
	if err := c.npmrcFile(&o, ref); err != nil {
		return err
	}
	switch {
	case o.link:
		return c.link(ctx, ref, o)
	case o.unlink:
		return c.unlink(ctx, ref, o.file)
	}
	return c.writeNpmrc(ctx, ref, o)
}

// npmrcFile checks what was told, and finds the file: a token goes into none
// that git would commit. What rotd itself runs was looked at when it was linked.
func (c *call) npmrcFile(o *npmrcFlags, ref string) (err error) {
	switch {
	case o.link && o.unlink:
		return c.usage("--link and --unlink contradict each other")
	case o.project && o.file != "":
		return c.usage("--project and --file contradict each other")
	}
	for i, word := range o.scopes {
		if o.scopes[i], err = npmrc.Scope(word); err != nil {
			return c.usage(fmt.Sprintf("--scope %q: %v", word, err))
		}
	}
	own, err := c.userConfig()
	switch {
	case o.project:
		o.file, _ = projectConfig(c.Dir())
	case o.file == "" && err != nil:
		return err
	case o.file == "":
		o.file = own
	}
	o.file = c.absolute(o.file)
	if o.unlink || ref == fromStdin || o.file == c.absolute(own) {
		return nil
	}
	real, err := npmrc.Resolve(o.file)
	if err != nil {
		return explainNpmrc(o.file, err)
	}
	return c.keepOutOfGit(real)
}

// writeNpmrc writes the present value into the file.
func (c *call) writeNpmrc(ctx context.Context, ref string, o npmrcFlags) (err error) {
	var value secret.Text
	if ref == fromStdin {
		if value, err = c.readValue(); err != nil {
			return err
		}
	} else {
		tok, err := c.token(ctx, ref)
		if err != nil {
			return err
		}
		o.registry, value = tok.Registry, tok.Value.Text
	}
	rep, err := npmrc.Update(o.file, o.registry, value, o.scopes...)
	if err != nil {
		return explainNpmrc(o.file, err)
	}
	for _, line := range rep.Others {
		c.warn(fmt.Sprintf("line %d of %s sets the same, and npm does not use it: delete that line", line, rep.Path))
	}
	for _, scope := range rep.Moved {
		c.warn(fmt.Sprintf("the packages of %s came from another registry before, by %s", scope, rep.Path))
	}
	if ref != fromStdin {
		c.warnShadows(o.registry, o.file, nil)
	}
	return c.edited(rep)
}

// edited tells of a file that has the value.
func (c *call) edited(rep npmrc.Report) error {
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
