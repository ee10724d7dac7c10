// Command build lays out what rotd's packages hold, and has nfpm make a .deb and
// an .rpm of it:
//
//	build -bin dist/bin -out dist -version v1.2.0 -epoch 1795480000 -nfpm .tools/bin/nfpm
//
// The units are those that rotd install writes, for fixed paths; the man pages
// are made of the programs' own help texts, and the completions by rot. The same
// programs, version and time make the same packages, byte by byte.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"rotd/daemon/service"
	"rotd/ipc"
)

func main() {
	b := build{}
	flag.StringVar(&b.bin, "bin", "dist/bin", "where rot and rotd are")
	flag.StringVar(&b.out, "out", "dist", "where the packages go")
	flag.StringVar(&b.version, "version", "dev", "as git describe says it")
	flag.StringVar(&b.nfpm, "nfpm", ".tools/bin/nfpm", "the program")
	epoch := flag.Int64("epoch", 0, "the time of every file, in seconds since 1970")
	flag.Parse()
	b.time = time.Unix(*epoch, 0).UTC()
	if err := b.run(); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

// build is one run.
type build struct {
	bin, out, version, nfpm string
	time                    time.Time
	files                   []file
}

// file is one of a package.
type file struct {
	src, dst string
	mode     os.FileMode
	only     string // "deb" or "rpm"; empty: both
}

func (b *build) run() error {
	for _, step := range []func() error{b.programs, b.units, b.manuals, b.completions, b.papers} {
		if err := step(); err != nil {
			return err
		}
	}
	config := filepath.Join(b.out, "nfpm.yaml")
	text, err := b.config()
	if err != nil {
		return err
	}
	if err := os.WriteFile(config, text, 0o644); err != nil {
		return err
	}
	for _, kind := range []string{"deb", "rpm"} {
		cmd := exec.Command(b.nfpm, "package", "--config", config, "--packager", kind, "--target", b.out)
		cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+strconv.FormatInt(b.time.Unix(), 10))
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

func (b *build) programs() error {
	for _, name := range []string{"rot", "rotd"} {
		b.files = append(b.files, file{src: filepath.Join(b.bin, name), dst: "/usr/bin/" + name, mode: 0o755})
	}
	return nil
}

// put writes one file of the packages.
func (b *build) put(dst string, content []byte, only string) error {
	src := filepath.Join(b.out, "root", only, dst)
	if err := os.MkdirAll(filepath.Dir(src), 0o755); err != nil {
		return err
	}
	b.files = append(b.files, file{src, dst, 0o644, only})
	return os.WriteFile(src, content, 0o644)
}

// units are those of the machine's service, whose key is a file in its state: it
// has no keyring. A user's are rotd install's to write, as they name his home.
func (b *build) units() error {
	spec := service.Spec{
		System: true, Program: "/usr/bin/rotd", StateDir: ipc.SystemStateDir, Socket: ipc.SystemSocket,
		Flags: []string{"--key", "file:" + ipc.SystemStateDir + "/master.key"},
	}
	files, err := spec.Systemd("/usr/lib/systemd/system")
	if err != nil {
		return err
	}
	for _, f := range files {
		dst := f.Path
		switch filepath.Base(filepath.Dir(dst)) {
		case "sysusers.d", "tmpfiles.d":
			dst = filepath.Join("/usr/lib", filepath.Base(filepath.Dir(dst)), filepath.Base(dst))
		}
		if err := b.put(dst, f.Content, ""); err != nil {
			return err
		}
	}
	return nil
}

// completions are rot's own; Debian's zsh looks elsewhere than others.
func (b *build) completions() error {
	for _, c := range []struct{ shell, dst, only string }{
		{"bash", "/usr/share/bash-completion/completions/rot", ""},
		{"fish", "/usr/share/fish/vendor_completions.d/rot.fish", ""},
		{"zsh", "/usr/share/zsh/vendor-completions/_rot", "deb"},
		{"zsh", "/usr/share/zsh/site-functions/_rot", "rpm"},
	} {
		text, err := exec.Command(filepath.Join(b.bin, "rot"), "completion", c.shell).Output()
		if err != nil {
			return fmt.Errorf("rot completion %s: %w", c.shell, err)
		}
		if err := b.put(c.dst, text, c.only); err != nil {
			return err
		}
	}
	return nil
}

// papers are the licence, under the name that each system looks for, and more.
func (b *build) papers() error {
	for _, p := range []struct{ src, dst, only string }{
		{"LICENSE", "/usr/share/doc/rotd/copyright", "deb"},
		{"LICENSE", "/usr/share/licenses/rotd/LICENSE", "rpm"},
		{"README.md", "/usr/share/doc/rotd/README.md", ""},
		{"CHANGELOG.md", "/usr/share/doc/rotd/CHANGELOG.md", ""},
	} {
		text, err := os.ReadFile(p.src)
		if err != nil {
			return err
		}
		if err := b.put(p.dst, text, p.only); err != nil {
			return err
		}
	}
	return nil
}

// arch is the packages' machine, in Go's words, which nfpm translates.
const arch = runtime.GOARCH
