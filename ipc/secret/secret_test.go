package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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
		l := slog.New(handler)
		l.Info("x", "text", h.T, "wire", h.W, "pointer", h.P, "err", errors.New(h.T.String()))
	}
	if strings.Contains(log.String(), value) {
		t.Error("slog prints the secret")
	}

	out, err := json.Marshal(h.T)
	if err != nil || strings.Contains(string(out), value) {
		t.Errorf("JSON of a Text prints the secret, or fails: %v", err)
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
