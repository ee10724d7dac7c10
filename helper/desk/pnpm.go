package desk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"rotd/helper"
	"rotd/helper/npmrc"
	"rotd/ipc"
	"rotd/ipc/private"
)

var pnpm = helper.Command{
	Name: "pnpm",
	Run:  runPnpm,
	Help: `rot pnpm rot://rot_a2c4q7
rot pnpm ci --pnpm 10
rot pnpm ci --remove

usage: rot pnpm REF [--pnpm VERSION] [--dir D] [--remove] [--json]

Has pnpm ask rot for the token whenever it needs one (its tokenHelper), so that
no file holds the token and each run has the present one. It wins over any
token in an .npmrc, the project's too.

pnpm takes a program for that, by its whole path and without arguments: a link
to rot, rot-helper- and the ROT's id, in ~/.local/share/rotd. The setting
//HOST/PATH/:tokenHelper= goes into pnpm's own auth.ini; for pnpm 10 and older
into the file that npm reads as yours, where npm 11 and 12 warn of a setting
that they do not know. pnpm is asked which version it is.

When rot has no answer, as rotd is stopped, say, pnpm up to 11 ends with
ERR_PNPM_TOKEN_HELPER_ERROR_STATUS and without rot's words, and pnpm 12 goes on
without a token: the registry answers 401 or 404 then. rot npmrc REF --check
tells, and the link itself, run by hand, tells why. rot finds rotd by
ROTD_SOCKET there, or at the usual place.

  --pnpm VERSION  the version to write for, where it is not that in PATH
  --dir D         another place for the link; its path has letters, digits and
                  ./_+@- only, as pnpm has a shell run it
  --remove        take the setting and the link away
  --json          {"file","key","helper"}
  --socket PATH   rotd's socket, for this command alone
`,
}

func runPnpm(ctx context.Context, c *helper.Call, args []string) error {
	fs := c.Flags()
	version := fs.String("pnpm", "", "")
	dir := fs.String("dir", "", "")
	remove := fs.Bool("remove", false, "")
	ref, err := c.ParseRef(fs, args)
	if err != nil {
		return err
	}
	if *dir == "" {
		if *dir, err = home(c, "XDG_DATA_HOME", ".local/share", "rotd"); err != nil {
			return err
		}
	}
	rot, registry, err := registryOf(ctx, c, ref)
	if err != nil {
		return err
	}
	p := pnpmSetting{Call: c, registry: registry,
		link: filepath.Join(c.Absolute(*dir), helper.HelperPrefix+strings.TrimPrefix(rot, "rot://"))}
	if p.auth, err = pnpmAuth(c); err != nil {
		return err
	}
	if p.user, err = c.UserConfig(); err != nil {
		return err
	}
	if *remove {
		return p.remove()
	}
	return p.install(ctx, *version)
}

// pnpmSetting is what has pnpm ask rot.
type pnpmSetting struct {
	*helper.Call
	registry   string
	link       string
	auth, user string // the files that it can stand in
}

// shellWord is a path that pnpm up to 10, which has a shell run it, and later
// ones, which split it at spaces, take for one program.
var shellWord = regexp.MustCompile(`^/[A-Za-z0-9./_+@-]+$`)

func (p pnpmSetting) install(ctx context.Context, version string) error {
	if !shellWord.MatchString(p.link) {
		return helper.Local("name a directory without such: --dir D", "pnpm cannot run %s: only letters, digits and ./_+@- may be in its path", p.link)
	}
	own, err := p.hasOwnFile(ctx, version)
	if err != nil {
		return err
	}
	if err := p.makeLink(); err != nil {
		return err
	}
	file := p.user
	if own {
		file = p.auth
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return helper.Local("", "make pnpm's directory: %v", err)
		}
	}
	rep, err := npmrc.SetHelper(file, p.registry, p.link, isHelper)
	if err != nil {
		return p.explain(file, err)
	}
	if own { // an older pnpm's: npm warns of it
		if _, err := npmrc.CutHelper(p.user, p.registry, isHelper); err != nil {
			p.Warn("the same setting stays in " + p.user + ": " + err.Error())
		}
	}
	if p.JSON() {
		return p.PrintJSON(map[string]string{"file": rep.Path, "key": rep.Key, "helper": p.link})
	}
	p.Done(rep.Path + ": pnpm asks " + p.link)
	return nil
}

// isHelper tells whether a program is a link of ours.
func isHelper(program string) bool {
	return strings.HasPrefix(filepath.Base(program), helper.HelperPrefix)
}

// hasOwnFile tells whether that pnpm reads auth.ini: from 11 on.
func (p pnpmSetting) hasOwnFile(ctx context.Context, version string) (bool, error) {
	if version == "" {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, "pnpm", "--version")
		cmd.Dir = filepath.Dir(p.user) // not in a project, which may want another pnpm
		out, err := cmd.Output()
		if err != nil {
			return false, helper.Local("name it: --pnpm 10, or --pnpm 12", "find out which version pnpm is: %v", err)
		}
		version = strings.TrimSpace(string(out))
	}
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	if err != nil {
		return false, p.Usage("--pnpm takes a version, 10 or 12.21.0, and not " + strconv.Quote(version))
	}
	return n >= 11, nil
}

// makeLink makes the link anew, as rot may have moved, where nobody else can put
// a program in its place. A pnpm that runs meanwhile finds the one or the other.
func (p pnpmSetting) makeLink() error {
	rot, err := rotProgram(p.Call)
	if err != nil {
		return err
	}
	hint := "name another directory: --dir D"
	err = private.Make("the directory of pnpm's link", filepath.Dir(p.link), private.Listed)
	var open *private.Error
	if errors.As(err, &open) {
		hint = open.Hint() + "; or " + hint
	}
	if err == nil {
		temp := p.link + "." + strconv.Itoa(os.Getpid())
		if err = os.Symlink(rot, temp); err == nil {
			if err = os.Rename(temp, p.link); err != nil {
				_ = os.Remove(temp)
			}
		}
	}
	if err != nil {
		return helper.Local(hint, "make the link for pnpm: %v", err)
	}
	return nil
}

// remove takes everything away that install may have made.
func (p pnpmSetting) remove() error {
	changed := false
	for _, file := range []string{p.auth, p.user} {
		if _, err := os.Stat(filepath.Dir(file)); err != nil {
			continue
		}
		rep, err := npmrc.CutHelper(file, p.registry, func(program string) bool { return filepath.Base(program) == filepath.Base(p.link) })
		if err != nil {
			return p.explain(file, err)
		}
		changed = changed || rep.Changed
	}
	if err := os.Remove(p.link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return helper.Local("", "remove the link: %v", err)
	}
	if !changed {
		p.Note("pnpm did not ask " + p.link)
		return nil
	}
	p.Done("pnpm no longer asks " + p.link)
	return nil
}

func (p pnpmSetting) explain(file string, err error) error {
	hint := "see what is in that file"
	var foreign *npmrc.ForeignError
	if errors.As(err, &foreign) {
		hint = "delete that line, if rot is to do it"
	}
	return helper.Local(hint, "cannot edit %s: %v", file, err)
}

// pnpmAuth is pnpm's own file.
func pnpmAuth(c *helper.Call) (string, error) {
	usual := ".config"
	if c.GOOS == "darwin" {
		usual = "Library/Preferences"
	}
	return home(c, "XDG_CONFIG_HOME", usual, "pnpm/auth.ini")
}

// home is a path below the directory that a variable names, or the usual one of
// the home.
func home(c *helper.Call, variable, usual, path string) (string, error) {
	if dir := c.Getenv(variable); variable != "" && filepath.IsAbs(dir) {
		return filepath.Join(dir, path), nil
	}
	dir := c.Getenv("HOME")
	if dir == "" {
		return "", helper.Local("set HOME", "HOME is not set, so there is no place for it")
	}
	return filepath.Join(dir, usual, path), nil
}

// rotProgram is the path of rot.
func rotProgram(c *helper.Call) (string, error) {
	rot := c.Rot()
	if rot == "" {
		return "", helper.Local("install it beside rotd", "the program rot is neither beside rotd nor in PATH")
	}
	return rot, nil
}

// registryOf finds a ROT and its registry, for taking something back: also where
// no value is served any more.
func registryOf(ctx context.Context, c *helper.Call, ref string) (rot, registry string, err error) {
	var r ipc.ROT
	if err := c.Client().Get(ctx, ipc.Path(ipc.PathSchedule, ref), &r); err == nil {
		return r.Ref, r.Registry, nil
	}
	tok, err := c.Token(ctx, ref) // of somebody whom a grant lets read that and nothing else
	return tok.ROT, tok.Registry, err
}
