package helper

import (
	"context"
	"os"
	"strings"

	"rotd/ipc"
	"rotd/ipc/fmt"
)

var envCommand = command{
	name: "env",
	line: "print the present value as variables, for eval or $GITHUB_ENV",
	run:  runEnvCommand,
	help: `rot env ci --github                       # in a step of GitHub Actions
eval "$(rot env ci)"
eval "$(rot env ci --env GH_NPM_TOKEN)"

usage: rot env REF [--env NAME]… [--github] [--access-token-file F]

Prints lines that a shell reads: export NODE_AUTH_TOKEN='…', and the same for
NPM_TOKEN and YARN_NPM_AUTH_TOKEN. npm reads none of them by itself: it wants a
line in an .npmrc that names one, //HOST/:_authToken=${NODE_AUTH_TOKEN}.

The token is that of now, in all that the shell runs from then on, and rotd does
not know how long it is needed. Better, where it will do: rot exec REF -- CMD.

  --env NAME     this variable and no other; may be given several times
  --github       have the steps after this one get them: masked in the log, and
                 written to the file $GITHUB_ENV
  --access-token-file F
                 show the access token in it (else that in ROT_ACCESS_TOKEN)
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

// tokenNames are those that tools read a token from: setup-node's .npmrc and
// many others, by convention; Yarn 2 and later itself.
var tokenNames = []string{"NODE_AUTH_TOKEN", "NPM_TOKEN", yarnToken}

// envFlag is --env.
func envFlag(fs *flagSet) *[]string {
	names := new([]string)
	fs.StringSliceVar(names, "env", tokenNames, "")
	return names
}

// checkNames refuses what is no name of a variable.
func (c *call) checkNames(names []string) error {
	for _, name := range names {
		if strings.Trim(name, accessCharacters) != "" || name < "A" { // begins with a digit, or has nothing
			return c.usage(fmt.Sprintf("--env %q is no name of a variable", name))
		}
	}
	if len(names) == 0 {
		return c.usage("--env names no variable")
	}
	return nil
}

func runEnvCommand(ctx context.Context, c *call, args []string) error {
	fs := c.readFlags()
	names, github := envFlag(fs), fs.Bool("github", false, "")
	ref, err := c.parseRef(fs, args)
	if err != nil {
		return err
	}
	if err := c.checkNames(*names); err != nil {
		return err
	}
	file := c.Getenv("GITHUB_ENV")
	if *github && file == "" {
		return local("it is for a step of GitHub Actions", "GITHUB_ENV is not set")
	}
	tok, err := c.token(ctx, ref)
	if err != nil {
		return err
	}
	if !*github {
		for _, name := range *names {
			c.print("export " + name + "='" + strings.ReplaceAll(tok.Value.Reveal(), "'", `'\''`) + "'\n")
		}
		return nil
	}
	return c.toGitHub(tok, file, *names)
}

// endOfValue ends a value in GitHub's file.
const endOfValue = "end_of_the_token"

// toGitHub hands the token to the next steps of a job. A value that is not one
// word could set any variable.
func (c *call) toGitHub(tok ipc.Token, file string, names []string) error {
	value := tok.Value.Reveal()
	if value == endOfValue || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return local("", "the value of this ROT is not one word")
	}
	c.print("::add-mask::" + strings.ReplaceAll(value, "%", "%25") + "\n") // before it can be in any log
	if c.stdout.err != nil {
		return nil // and said at the end
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		text := ""
		for _, name := range names {
			text += name + "<<" + endOfValue + "\n" + value + "\n" + endOfValue + "\n"
		}
		_, err = f.WriteString(text)
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}
	if err != nil {
		return local("", "write the file of GITHUB_ENV: %v", err)
	}
	return nil
}
