// Package deliver runs the command of a delivery: a program that is handed a
// token and puts it somewhere.
//
// It promises that the token reaches the command by its standard input, whole
// and with nothing behind it, and no other way: not as an argument, not in the
// environment. The command gets a small environment that holds no secrets, has a
// time limit, at whose end its whole process group is killed, and leaves no more
// than the end of its output, from which the token and every other secret that
// the caller knows are taken out.
//
// It knows no ROT, no npm and no database, and does not try again: that is its
// caller's business.
package deliver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"rotd/ipc/secret"
)

// Limit is the time limit of a command where a Job names none.
const Limit = time.Minute

// drain is how long a command's output is read on after its end, from children
// that it has left behind and that hold it.
const drain = time.Second

// Job is one command to run.
type Job struct {
	Command []string // the program, looked for in PATH where it has no slash, and its arguments
	Stdin   secret.Text
	Env     []string      // "K=V", added to Environ's
	Dir     string        // where it runs
	Limit   time.Duration // 0: Limit
	Secrets []secret.Text // what must not stand in its output, beside Stdin
}

// Run runs the job's command until it ends, its time is over or ctx ends. It
// returns the end of what the command printed, without secrets. Nil means that
// the command ended with status 0; the error's text is fit for a person, and has
// no secrets in it either.
func Run(ctx context.Context, job Job) (output string, err error) {
	limit := job.Limit
	if limit == 0 {
		limit = Limit
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it was stopped after %v", limit))
	defer cancel()

	var printed tail
	cmd := exec.CommandContext(ctx, job.Command[0], job.Command[1:]...)
	cmd.Env = append(Environ(os.Environ()), job.Env...)
	cmd.Dir = job.Dir
	cmd.Stdin = strings.NewReader(job.Stdin.Reveal())
	cmd.Stdout, cmd.Stderr = &printed, &printed
	cmd.SysProcAttr = group()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = drain

	// Linux counts the end of the thread that started it as its parent's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	output = redact(printed.bytes(), printed.cut, append(job.Secrets, job.Stdin))
	return output, explain(ctx, cmd, err)
}

// explain says in a sentence why a command failed.
func explain(ctx context.Context, cmd *exec.Cmd, err error) error {
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay) && cmd.ProcessState.Success():
		return nil // a child that stays behind does not undo a success
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &exit):
		return errors.New(exit.Error()) // "exit status 1", "signal: killed"
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("there is no program %s in rotd's PATH (%s)", filepath.Base(cmd.Path), os.Getenv("PATH"))
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no program %s", cmd.Path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s may not be run", cmd.Path)
	}
	return fmt.Errorf("it cannot be run: %w", err)
}

// passed are the variables that a command gets from the daemon's environment:
// those that say where it is and how to speak, and where it finds the stores of
// its own credentials. A command that wants another names it: env K=V CMD.
var passed = []string{
	"HOME", "PATH", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE",
	"DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK",
	"XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "XDG_DATA_DIRS", "XDG_CACHE_HOME", "XDG_STATE_HOME",
}

// Environ returns what of the environment a command may have.
func Environ(all []string) []string {
	var some []string
	for _, kv := range all {
		name, _, _ := strings.Cut(kv, "=")
		for _, p := range passed {
			if name == p {
				some = append(some, kv)
			}
		}
		if strings.HasPrefix(name, "LC_") {
			some = append(some, kv)
		}
	}
	return some
}
