package helper

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"rotd/ipc"
)

// TestCompletionOffers what could stand for the last word. The shells themselves
// are tried in cmd/rot.
func TestCompletionOffers(t *testing.T) {
	d := newDaemon(t)
	d.mux.HandleFunc("GET "+ipc.PathROTs, func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"rots": []ipc.ROT{
			{Ref: "rot://rot_a2c4", Name: "ci", State: ipc.StateOK}, {Ref: "rot://rot_b3d5", State: ipc.StateFailing},
		}})
	})
	d.mux.HandleFunc("GET "+ipc.PathPasscards, func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"passcards": []ipc.Passcard{{Ref: "rot://pas_x9y8", Username: "ada\t", Registry: "http://localhost:1/"}}})
	})
	for line, want := range map[string]string{
		"st":                            "status",
		"conn":                          "connect",
		"connect ":                      "npm",
		"help conn":                     "connect",
		"help connect ":                 "npm",
		"rotate --for ":                 "publish stage install",
		"rotate ci --for=in":            "--for=install",
		"rotate --gr":                   "--grace",
		"get ci --format ":              "npm-rfc850 docker git pnpm",
		"npmrc ci --re":                 "", // that one is rotd's
		"log -n 3 --f":                  "--follow",
		"get ":                          "ci rot://rot_b3d5",
		"get --json c":                  "ci",
		"get rot:":                      "rot://rot_a2c4 rot://rot_b3d5",
		"get rot_":                      "rot_a2c4 rot_b3d5",
		"get ci ":                       "",
		"get -- ":                       "ci rot://rot_b3d5",
		"get --socket /nowhere ":        "",
		"get --socket=/nowhere ":        "",
		"--socket /nowhere get ":        "",
		"rotate rot://pas":              "rot://pas_x9y8",
		"revoke pas_":                   "pas_x9y8",
		"exec ci ":                      "--",
		"exec ci -- np":                 "command",
		"deliver ci --name x -- gh ":    "command",
		"connect npm --password-file ":  "files",
		"connect npm --password-file=x": "files",
		"connect npm --username ":       "",
		"completion ":                   "bash zsh fish",
		"nonsense ":                     "",
		"nonsense --":                   "--socket --json --help",
		"- ":                            "",
	} {
		got := d.run(append([]string{"completion", "words", "--"}, strings.Split(line, " ")...)...)
		lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
		for i, l := range lines {
			lines[i], _, _ = strings.Cut(l, "\t")
		}
		if lines[0] == "words" {
			lines = lines[1:]
		}
		if s := strings.Join(lines, " "); got.code != 0 || s != want {
			t.Errorf("%q: status %d, %q, want %q", line, got.code, s, want)
		}
	}
	d.run("completion", "words", "--", "rotate", "rot://p").want(t, 0, "words\nrot://pas_x9y8\tada  at localhost:1\n", "")
	d.run("completion", "words", "--", "get", "c").want(t, 0, "words\nci\trot://rot_a2c4, ok\n", "")
	for _, args := range [][]string{{}, {"tcsh"}, {"bash", "zsh"}, {"words"}} {
		d.run(append([]string{"completion"}, args...)...).want(t, ipc.ExitUsage, "", "bash, zsh or fish")
	}
}
