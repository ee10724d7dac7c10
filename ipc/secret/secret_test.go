package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rotd/ipc/secret"
)

const value = "npm_EXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLE"

func TestNothingPrintsASecret(t *testing.T) {
	type holder struct {
		T secret.Text
		P *secret.Text
		W secret.Wire
	}
	text := secret.New(value)
	h := holder{T: text, P: &text, W: secret.NewWire(value)}
	hidden := struct {
		t secret.Text
		w secret.Wire
		m map[string]secret.Text
	}{text, h.W, map[string]secret.Text{"k": text}}

	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s", "%T %v"} {
		for _, x := range []any{h, &h, h.T, h.W, []secret.Text{text}, map[string]secret.Wire{"k": h.W}, hidden, &hidden} {
			if out := fmt.Sprintf(verb, x); strings.Contains(out, value) || strings.Contains(out, fmt.Sprintf("%x", value)) {
				t.Errorf("%s of %T prints the secret", verb, x)
			}
		}
	}

	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		l := slog.New(handler).With("with", h.T).WithGroup("group")
		l.Info("x", "text", h.T, "pointer", h.P, "err", errors.New(h.T.String()), slog.Group("inner", "text", h.T))
	}
	l := slog.New(slog.NewTextHandler(&log, nil)).With("with", h.W).WithGroup("group")
	l.Info("x", "wire", h.W, "pointer", &h.W, "whole", h, slog.Group("inner", "wire", h.W))
	if strings.Contains(log.String(), value) {
		t.Error("slog prints the secret")
	}

	if n := strings.Count(log.String(), "[redacted]"); n < 2*4+5 {
		t.Errorf("only %d values were logged", n)
	}

	out, err := json.Marshal(h.T)
	if err != nil || strings.Contains(string(out), value) {
		t.Errorf("JSON of a Text prints the secret, or fails: %v", err)
	}
}

// TestNoLogIsOfJSON keeps the handler away that would reveal a Wire.
func TestNoLogIsOfJSON(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		if strings.Contains(string(src), "NewJSONHandler") {
			t.Errorf("%s logs in JSON, which reveals what is in a secret.Wire", path)
		}
		seen++
		return err
	})
	if err != nil || seen < 100 {
		t.Errorf("%d files, %v", seen, err)
	}
}

func TestWireTravels(t *testing.T) {
	out, err := json.Marshal(struct{ V secret.Wire }{secret.NewWire(value)})
	if err != nil {
		t.Fatal(err)
	}
	var back struct{ V secret.Wire }
	if err := json.Unmarshal(out, &back); err != nil {
		t.Fatal(err)
	}
	if back.V.Reveal() != value {
		t.Error("a Wire does not come back from JSON as it went in")
	}
}

func TestABadSecretIsNotQuoted(t *testing.T) {
	var w secret.Wire
	err := json.Unmarshal([]byte(`{"`+value+`":1}`), &w)
	if err == nil || strings.Contains(err.Error(), value) {
		t.Errorf("got %v, want an error that does not quote the input", err != nil)
	}
}

func TestEqual(t *testing.T) {
	if !secret.New("a").Equal(secret.New("a")) || secret.New("a").Equal(secret.New("b")) || secret.New("a").Equal(secret.New("")) {
		t.Error("Equal does not compare")
	}
	if !(secret.Text{}).IsZero() || secret.New("a").IsZero() {
		t.Error("IsZero does not tell the absent secret")
	}
}
