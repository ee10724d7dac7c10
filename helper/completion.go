package helper

import (
	"context"
	"strings"
	"time"

	"rotd/ipc"
)

const completionHelp = `rot completion bash > ~/.local/share/bash-completion/completions/rot
rot completion zsh > ~/.zfunc/_rot        with ~/.zfunc in fpath
rot completion fish > ~/.config/fish/completions/rot.fish
source <(rot completion bash)             in this shell only

usage: rot completion bash | zsh | fish

Prints a script that has the shell complete commands, flags and what they take,
references and their names (rotd is asked for those; without it there are none),
files, and the command after --.

The script asks rot: rot completion words -- WORD… prints what could stand for
the last of the words behind "rot". Its first line is "words", and a word, a tab
and what that is follow on a line each; or "files"; or "command", for what comes
after --.

  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`

func runCompletion(ctx context.Context, c *call, args []string) error {
	fs := c.flags()
	if err := c.parse(fs, args); err != nil {
		return err
	}
	args = fs.Args()
	switch {
	case len(args) > 1 && args[0] == "words":
		words, last := args[1:len(args)-1], args[len(args)-1]
		c.print(c.complete(ctx, c.readLine(words), last))
		return nil
	case len(args) == 1:
		for _, s := range shells {
			if s.name == args[0] {
				c.print(s.script)
				return nil
			}
		}
	}
	return c.usage("it takes the name of a shell: bash, zsh or fish")
}

// What the shell is to complete with.
const (
	completeWords   = "words\n"
	completeFiles   = "files\n"
	completeCommand = "command\n"
)

// complete says what could stand for the last word of a command line.
func (c *call) complete(ctx context.Context, l *commandLine, last string) string {
	typed := choices{prefix: last}
	name, value, given := strings.Cut(last, "=")
	switch {
	case l.behind && l.command.takes("-- CMD"):
		return completeCommand
	case l.wants != nil:
		return typed.values(l.command.text(c.all), l.wants.name)
	case l.behind:
	case strings.HasPrefix(last, "--") && given:
		typed = choices{prefix: value, before: name + "="}
		return typed.values(l.command.text(c.all), name[2:])
	case strings.HasPrefix(last, "-"):
		typed.flags(l.flags, l.command, l.command.text(c.all))
		return completeWords + typed.text
	}
	switch {
	case l.command.name == help.name:
		typed.commands(c.all, strings.Join(append(l.args, ""), " "))
	case l.command.name == c.command.name:
		for _, s := range shells {
			typed.add(s.name, "")
		}
	case l.command.takes("REF") && len(l.args) == 0:
		c.references(ctx, &typed, l.command)
	case l.command.takes("-- CMD") && len(l.args) == 1:
		typed.add("--", "the command follows")
	}
	return completeWords + typed.text
}

// takes tells whether the command's usage has a word.
func (cmd command) takes(word string) bool {
	_, usage, _ := strings.Cut(cmd.help, "\nusage: ")
	usage, _, _ = strings.Cut(usage, "\n\n")
	return strings.Contains(usage, word)
}

// A commandLine is what stands before the word to complete.
type commandLine struct {
	command command // help, while none is named
	flags   *flagSet
	wants   *flagVar // the flag whose value comes next
	args    []string
	behind  bool // of "--"
}

func (c *call) readLine(words []string) *commandLine {
	l := &commandLine{command: help, flags: c.flagsOf(help)}
	found := false
	take := func(flag, value string) {
		if flag == "socket" { // where the references are asked for
			c.socket = value
		}
	}
	for _, word := range words {
		name, value, given := strings.Cut(strings.TrimLeft(word, "-"), "=")
		switch {
		case l.wants != nil:
			take(l.wants.name, word)
			l.wants = nil
		case l.behind:
			l.args = append(l.args, word)
		case word == "--":
			l.behind = true
		case strings.HasPrefix(word, "-") && name != "":
			f := l.flags.find(func(f *flagVar) bool { return f.name == name || f.letter == name })
			if given {
				take(name, value)
			} else if f != nil && !f.alone() {
				l.wants = f
			}
		default:
			l.args = append(l.args, word)
			if cmd, rest, err := c.find(l.args); !found && err == nil && len(rest) == 0 {
				found = true
				l.command, l.flags, l.args = cmd, c.flagsOf(cmd), nil
			}
		}
	}
	return l
}

// flagsOf are the flags of another command: it is run up to where it has
// defined them.
func (c *call) flagsOf(cmd command) *flagSet {
	if cmd.atDesk() { // which alone knows
		return c.flags()
	}
	probe := &call{Env: c.Env, tui: newTUI(c.Env), command: cmd, all: c.all, probe: new(*flagSet)}
	_ = cmd.run(context.Background(), probe, nil)
	return *probe.probe
}

// references adds what rotd has: by name, or as it is printed.
func (c *call) references(ctx context.Context, to *choices, cmd command) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second) // a person waits
	defer cancel()
	var all listing
	_ = c.client().Get(ctx, ipc.PathROTs, &all)
	if strings.Contains(cmd.help, "passcard") || strings.Contains(cmd.help, "account") {
		_ = c.client().Get(ctx, ipc.PathPasscards, &all)
	}
	for _, r := range all.ROTs {
		to.reference(r.Ref, r.Name, r.State)
	}
	for _, p := range all.Passcards {
		to.reference(p.Ref, p.Name, p.Username+" at "+shortRegistry(p.Registry))
	}
}
