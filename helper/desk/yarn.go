package desk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"rotd/helper"
	"rotd/helper/npmrc"
	"rotd/helper/yarnrc"
	"rotd/ipc"
	"rotd/ipc/secret"
)

var yarn = helper.Command{
	Name: "yarn",
	Run:  runYarn,
	Help: `rot yarn rot://rot_a2c4q7
rot yarn ci --link
rot yarn ci --remove

usage: rot yarn REF [--file F] [--link | --remove] [--json]

Sets npmAuthToken for the ROT's registry in the .yarnrc.yml of your home, for
Yarn 2 and later, which read no .npmrc (Yarn 1 does: rot npmrc). The rest of the
file stays as it is, and others may not read it afterwards (0600).

It goes under npmRegistries, so that Yarn sends the token to that registry only.
For that registry Yarn then looks at nothing else: not at an npmAuthToken or an
npmAlwaysAuth at the top of the file, nor at YARN_NPM_AUTH_TOKEN, which rot exec
sets. A project's own .yarnrc.yml wins over yours.

The file has the value of this moment; --link has rotd keep it current. A value
like ${TOKEN-} is left alone: keep it, and use rot exec.

  --file F       another file; its directory must exist
  --link         keep the file current from now on (rot help deliver)
  --remove       no longer, and take the token out of it
  --json         {"file","key","changed"}
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

// fromStdin, as a reference, is the value on the standard input: of a delivery.
const fromStdin = "-"

func runYarn(ctx context.Context, c *helper.Call, args []string) error {
	fs := c.Flags()
	file := fs.String("file", "", "")
	registry := fs.String("registry", "", "") // of fromStdin
	link := fs.Bool("link", false, "")
	remove := fs.Bool("remove", false, "")
	ref, err := c.ParseRef(fs, args)
	if err != nil {
		return err
	}
	if *link && *remove {
		return c.Usage("--link and --remove contradict each other")
	}
	own, err := home(c, "", "", ".yarnrc.yml")
	switch {
	case *file == "" && err != nil:
		return err
	case *file == "":
		*file = own
	}
	*file = c.Absolute(*file)
	if ref == fromStdin {
		value, err := c.ReadInput("the value", fromStdin, maxValue, "there is too much of it")
		if err != nil {
			return err
		}
		return writeYarnrc(c, *file, *registry, secret.New(value))
	}
	if *remove {
		_, of, err := registryOf(ctx, c, ref)
		if err != nil {
			return err
		}
		return unlinkYarnrc(ctx, c, ref, *file, of)
	}
	tok, err := c.Token(ctx, ref)
	if err != nil {
		return err
	}
	if *file != own {
		real, err := npmrc.Resolve(*file)
		if err != nil {
			return explainYarnrc(*file, err)
		}
		if err := c.KeepOutOfGit(real); err != nil {
			return err
		}
	}
	warnOfYarn(c, *file, tok.Registry)
	if *link {
		return linkYarnrc(ctx, c, ref, *file, tok.Registry)
	}
	return writeYarnrc(c, *file, tok.Registry, tok.Value.Text)
}

// maxValue is more than any token has.
const maxValue = 64 << 10

func writeYarnrc(c *helper.Call, file, registry string, value secret.Text) error {
	rep, err := yarnrc.Update(file, registry, value)
	if err != nil {
		return explainYarnrc(file, err)
	}
	return c.Edited(rep)
}

// yarnLink is the delivery that keeps a file current.
func yarnLink(program, registry, file string) []string {
	return []string{program, "yarn", fromStdin, "--registry", registry, "--file", file}
}

func linkYarnrc(ctx context.Context, c *helper.Call, ref, file, registry string) error {
	rot, err := rotProgram(c)
	if err != nil {
		return err
	}
	want := yarnLink(rot, registry, file)
	if err := dropYarnLinks(ctx, c, ref, file, want); err != nil {
		return err
	}
	return c.Deliver(ctx, ref, ipc.Deliver{Command: want})
}

// dropYarnLinks removes the deliveries that keep the file current, but for the
// one that is wanted.
func dropYarnLinks(ctx context.Context, c *helper.Call, ref, file string, want []string) error {
	var all struct{ Deliveries []ipc.Delivery }
	if err := c.Client().Get(ctx, ipc.Path(ipc.PathDeliver, ref), &all); err != nil {
		return err
	}
	for _, d := range all.Deliveries {
		if len(d.Command) != 7 || slices.Equal(d.Command, want) || !slices.Equal(d.Command[1:], yarnLink("", d.Command[4], file)[1:]) {
			continue
		}
		if err := c.Client().Delete(ctx, ipc.Path(ipc.Path(ipc.PathDelivery, ref), d.Name), nil); err != nil {
			return err
		}
		c.Done("removed " + d.Name)
	}
	return nil
}

func unlinkYarnrc(ctx context.Context, c *helper.Call, ref, file, registry string) error {
	if err := dropYarnLinks(ctx, c, ref, file, nil); err != nil {
		return err
	}
	rep, err := yarnrc.Remove(file, registry)
	if err != nil {
		return explainYarnrc(file, err)
	}
	if !rep.Changed {
		c.Note("there is no token of " + registry + " in " + rep.Path)
		return nil
	}
	c.Done(rep.Path + ": taken out")
	return nil
}

// warnOfYarn tells of what holds for the registry no longer, or holds instead.
func warnOfYarn(c *helper.Call, file, registry string) {
	key, _ := yarnrc.Key(registry)
	if always(file) {
		c.Warn("npmAlwaysAuth at the top of " + file + " does not hold for the registry any more: set it under npmRegistries, beside the token, if packages without a scope are private")
	}
	for d := c.Dir(); d != ""; d = filepath.Dir(d) {
		project := filepath.Join(d, ".yarnrc.yml")
		if b, err := os.ReadFile(project); err == nil && project != file && strings.Contains(string(b), key) {
			c.Warn(project + " has settings of its own for the registry, which Yarn takes instead there")
		}
		if d == filepath.Dir(d) {
			return
		}
	}
}

// always tells whether the file says npmAlwaysAuth for all registries.
func always(file string) bool {
	var rc struct {
		Always bool `yaml:"npmAlwaysAuth"`
	}
	b, err := os.ReadFile(file)
	return err == nil && yaml.Unmarshal(b, &rc) == nil && rc.Always
}

// explainYarnrc says what to do about a file that cannot be edited.
func explainYarnrc(file string, err error) error {
	var placeholder *npmrc.PlaceholderError
	hint := "see what is in that file, or name another: --file F"
	switch {
	case errors.As(err, &placeholder):
		hint = "keep it and set its variable for one command: rot exec REF -- CMD; or delete it and run this again"
	case errors.Is(err, yarnrc.ErrForm):
		hint = "have it be plain YAML, a setting a line, no {…} and no references; or use rot exec REF -- CMD"
	case errors.Is(err, fs.ErrNotExist):
		hint = "make its directory first, or name another file: --file F"
	}
	return helper.Local(hint, "cannot edit %s: %v", file, err)
}
