package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"rotd/ipc/private"
)

// keyFile is a master key in a file of its own: 32 bytes in standard base64,
// one line; decodeKey says what else is taken. The file is a regular one, ours,
// closed to everybody else, and where nobody else can put another.
//
// A symlink of ours or root's is followed, as secret managers place such files
// by them, and the file that was opened in the end is the one that is checked.
type keyFile string

func (p keyFile) String() string { return "file:" + string(p) }

func (p keyFile) Load(context.Context, string) (Key, error) {
	if _, err := private.Way(string(p)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Key{}, withHint(fmt.Errorf("%s: %w", p, err), "%s", HintOf(err))
	}
	// O_NONBLOCK: a fifo at that path must not stop the daemon.
	f, err := os.OpenFile(string(p), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return Key{}, p.missing("there is no such file")
	}
	if err != nil {
		return Key{}, withHint(fmt.Errorf("read the master key: %w", err), "make %s readable for the user that rotd runs as", string(p))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Key{}, fmt.Errorf("read the master key: %w", err)
	}
	if err := private.File("the key file", string(p), info); err != nil {
		return Key{}, err
	}
	if info.Size() == 0 { // as mktemp makes it: a place, and no key yet
		return Key{}, p.missing("it is empty")
	}
	return readKey(f, p.String())
}

func (p keyFile) missing(why string) error {
	return withHint(fmt.Errorf("%s: %w: %s", p, ErrKeyMissing, why),
		"put the key file back where it was, or name the place where it is now with --key; without it what was sealed cannot be opened")
}

// Create writes the key beside its place, waits for the disk, and only then
// gives it its name: a file of that name is always a whole key. A link never
// replaces what is there; only an empty file is.
func (p keyFile) Create(context.Context, string) (_ Key, err error) {
	defer func() {
		if err != nil {
			err = withHint(fmt.Errorf("create the master key: %w", err),
				"rotd makes %s itself; its folder has to exist and be writable", string(p))
		}
	}()
	dir := filepath.Dir(string(p))
	f, err := os.CreateTemp(dir, ".rotd-key-*") // O_EXCL, 0600
	if err != nil {
		return Key{}, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	k := randomKey()
	if _, err := io.WriteString(f, k.encode()+"\n"); err != nil {
		return Key{}, err
	}
	if err := f.Sync(); err != nil {
		return Key{}, err
	}
	err = os.Link(f.Name(), string(p))
	if errors.Is(err, fs.ErrExist) && isEmpty(string(p)) {
		err = os.Rename(f.Name(), string(p))
	}
	if err != nil {
		return Key{}, err
	}
	return k, syncDir(dir)
}

func isEmpty(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() == 0
}

// readKey reads a key of the source called from.
func readKey(r io.Reader, from string) (Key, error) {
	b, err := io.ReadAll(io.LimitReader(r, 1024))
	if err != nil {
		return Key{}, fmt.Errorf("read the master key: %w", err)
	}
	k, err := decodeKey(string(b))
	if err != nil {
		return Key{}, withHint(fmt.Errorf("%s: %w", from, err), "a master key is 32 bytes, best in base64, as `head -c 32 /dev/urandom | base64` prints them")
	}
	return k, nil
}

// next is the second slot.
func (p keyFile) next() keyFile { return p + ".next" }

func (p keyFile) Stage(ctx context.Context, account string) (Key, error) {
	if info, err := os.Lstat(string(p)); err == nil && info.Mode().Type() == fs.ModeSymlink {
		return Key{}, withHint(fmt.Errorf("%s is a link: what it leads to is not rotd's to replace", p),
			"give the key another place: rotd rekey --key %s --to WHERE", p)
	}
	if err := os.Remove(string(p.next())); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Key{}, fmt.Errorf("make a new master key: %w", err)
	}
	return p.next().Create(ctx, account)
}

func (p keyFile) Staged(ctx context.Context, account string) (Key, error) {
	return p.next().Load(ctx, account)
}

func (p keyFile) Promote(context.Context, string) error {
	if err := os.Rename(string(p.next()), string(p)); err != nil {
		return err
	}
	return syncDir(filepath.Dir(string(p)))
}

func (p keyFile) Drop(context.Context, string) error {
	err := os.Remove(string(p))
	if errors.Is(err, fs.ErrNotExist) {
		return p.missing("there is no such file")
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(string(p)))
}
