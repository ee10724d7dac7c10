package main

import (
	"context"
	"errors"
	"fmt"

	"rotd/daemon"
	"rotd/store"
)

var backupCommand = command{
	name: "backup",
	line: "copy the state to a file, while rotd runs",
	run:  runBackup,
	help: `Usage: rotd backup FILE [flags]

Writes the state, as it is at this instant, to a new file of mode 0600. rotd may
run meanwhile. Secrets in it are sealed as they are in the state, and the master
key that opens them is not in it: keep a copy of that elsewhere.

Examples:
  rotd backup ~/rotd.backup
  rotd backup /mnt/usb/rotd.backup --force      replace the last one

Flags:
  --force        replace the file
  --state-dir D  where the database is (default: as rotd run)
`,
}

func runBackup(ctx context.Context, c *call, args []string) error {
	fs := c.flags()
	force, dir := fs.Bool("force", false, ""), fs.String("state-dir", "", "")
	if err := c.parse(fs, args, 1); err != nil {
		return err
	}
	state, err := stateDir(*dir)
	if err != nil {
		return usageError{err}
	}
	if err := store.Backup(ctx, state, fs.Arg(0), *force); err != nil {
		return err
	}
	c.printf("✔ %s has the state of now\nThe master key is not in it: without that key nobody can use it, you neither.\n", fs.Arg(0))
	return nil
}

var restoreCommand = command{
	name: "restore",
	line: "put a backup in the place of the state",
	run:  runRestore,
	help: `Usage: rotd restore FILE [flags]

Puts a backup in the place of the state, while rotd does not run. It has to be
whole, yours alone (mode 0600), and sealed with the key that --key names. The
state that was there is kept beside it.

rotd then knows nothing of what was done since the backup: a token that has been
replaced since is served again though npm refuses it, until you rotate, and
tokens made since stay at npm until they expire or you delete them there; grants
taken back since hold again.

Examples:
  rotd stop; rotd restore ~/rotd.backup; rotd start
  rotd restore rotd.backup --key file:$HOME/.rotd.key

Flags:
  --key WHERE    the master key that the backup is sealed with
                 (default: keyring; as rotd run)
  --state-dir D  where the database is, or will be (default: as rotd run)
`,
}

func runRestore(ctx context.Context, c *call, args []string) error {
	fs := c.flags()
	key, dir := fs.String("key", "keyring", ""), fs.String("state-dir", "", "")
	if err := c.parse(fs, args, 1); err != nil {
		return err
	}
	keys, err := keySource("--key", *key)
	if err != nil {
		return err
	}
	state, unlock, err := holdState(*dir)
	if err != nil {
		return err
	}
	defer unlock()
	kept, err := store.Restore(ctx, state, fs.Arg(0), keys, store.Options{})
	if kept != "" {
		c.printf("the state that was there is in %s\n", kept)
	}
	if err != nil {
		return err
	}
	c.printf("✔ the state in %s is that of %s\n⮕ next: start rotd, and rotate: tokens may have been replaced since\n", state, fs.Arg(0))
	return nil
}

// holdState keeps a daemon from the state until unlock is called.
func holdState(flag string) (dir string, unlock func(), err error) {
	if dir, err = stateDir(flag); err != nil {
		return "", nil, usageError{err}
	}
	lock, err := daemon.LockState(dir)
	if errors.Is(err, daemon.ErrStateInUse) {
		return "", nil, hinted{err, "stop it first: rotd stop, or Ctrl-C where it runs"}
	}
	if err != nil {
		return "", nil, err
	}
	return dir, func() { _ = lock.Close() }, nil
}

// hinted is an error with what to do about it.
type hinted struct {
	error
	hint string
}

func (e hinted) Hint() string  { return e.hint }
func (e hinted) Unwrap() error { return nil } // its hint, and no other

func keySource(flag, value string) (store.KeySource, error) {
	keys, err := store.ParseKeySource(value)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", flag, err)}
	}
	return keys, nil
}
