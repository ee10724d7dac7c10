//go:build linux && (amd64 || arm64)

package early

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"rotd/ipc"
)

const value = "npm_d2cJEXAMPLE"

// reply is an answer with this body.
func reply(body string) string {
	return fmt.Sprintf("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

const whole = `{"rot":"rot://rot_a2c4","generation":12,"value":"npm_d2cJEXAMPLE","expires":"2027-02-28T16:09:26.224Z","registry":"http://localhost:4873","default_registry":true}`

var before = time.Date(2027, 2, 28, 16, 9, 25, 0, time.UTC).Unix()

func TestServed(t *testing.T) {
	const small = `{"value":"npm_d2cJEXAMPLE"}`
	for name, answer := range map[string]string{
		"whole":           reply(whole),
		"with a line end": reply(whole + "\n"),
		"a value alone":   reply(small),
	} {
		if got := served(answer, before); got != value {
			t.Errorf("%s: %q", name, got)
		}
		for n := range len(answer) {
			if got := served(answer[:n], before); got != "" {
				t.Errorf("%s: %q after %d bytes", name, got, n)
			}
		}
	}
	if got := served(reply(whole), before+1); got != "" {
		t.Errorf("past its expiry: %q", got)
	}
	for name, answer := range map[string]string{
		"refused":              strings.Replace(reply(whole), "200", "403", 1),
		"another protocol":     strings.Replace(reply(whole), "1.0", "1.1", 1),
		"more than said":       reply(whole) + "x",
		"less than said":       reply(whole)[:len(reply(whole))-1],
		"no length":            strings.Replace(reply(whole), "Content-Length", "Content-Long", 1),
		"no object":            reply(`"` + value + `"`),
		"no value":             reply(`{"rot":"rot_a2c4"}`),
		"an empty value":       reply(`{"value":""}`),
		"no text":              reply(`{"value":17}`),
		"nothing":              reply(``),
		"an empty object":      reply(`{}`),
		"an escape":            reply(`{"value":"npm_\n"}`),
		"no ASCII":             reply(`{"value":"npm_é"}`),
		"a line end inside":    reply("{\"value\":\"npm_\nx\"}"),
		"nested":               reply(`{"other":{"value":"npm_x"}}`),
		"nested beside":        reply(`{"value":"npm_x","other":{}}`),
		"a list":               reply(`{"value":["npm_x"]}`),
		"null":                 reply(`{"value":null}`),
		"two objects":          reply(small + small),
		"cut off":              reply(small[:len(small)-1]),
		"a comma too many":     reply(`{"value":"npm_x",}`),
		"a name in capitals":   reply(`{"value":"npm_x","Value":"npm_y"}`),
		"twice, once no text":  reply(`{"value":"npm_x","value":17}`),
		"an expiry in numbers": reply(`{"value":"npm_x","expires":17}`),
		"digits for a header":  strings.Replace(reply(`{"value":"npm_x"}`), "Content-Length: ", "", 1),
		"a strange expiry":     reply(`{"value":"npm_x","expires":"tomorrow"}`),
		"an empty answer":      "",
	} {
		if got := served(answer, before); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// FuzzServed holds served to what the standard library and rot's own client read: it
// finds the same value, or leaves the answer to them.
func FuzzServed(f *testing.F) {
	f.Add(reply(whole))
	f.Add(reply(`{"value":"npm_x","value":"npm_y"}` + "\n"))
	f.Add(reply(`{"value":"npm_x","Value":"npm_y"}`))
	f.Add(reply(`{"value":"npm_x","value":17}`))
	f.Add(reply(`{"value":"a","expires":"1970-01-01T00:00:00Z"}`))
	f.Add("HTTP/1.0 200 OK\r\nContent-Length: 9\r\ncontent-length: 13\r\n\r\n" + `{"value":"a"}`)
	f.Fuzz(func(t *testing.T, answer string) {
		got := served(answer, before)
		if got == "" {
			return
		}
		_, body, _ := strings.Cut(answer, "\r\n\r\n")
		var plain map[string]any
		if err := json.Unmarshal([]byte(body), &plain); err != nil || plain["value"] != got {
			t.Errorf("%q is found in %q (%v)", got, body, err)
		}
		client := ipc.Client{Dial: func(context.Context, string) (io.ReadWriteCloser, error) {
			return replay{strings.NewReader(answer)}, nil
		}}
		var tok ipc.Token
		if err := client.Get(t.Context(), "/", &tok); err != nil {
			return // it reads the other fields, too, and they are not rotd's
		}
		if tok.Value.Reveal() != got || tok.Expires != nil && tok.Expires.Unix() <= before {
			t.Errorf("%q is found, and rot reads %q, which expires %v", got, tok.Value.Reveal(), tok.Expires)
		}
	})
}

// replay is a connection that has been answered.
type replay struct{ io.Reader }

func (replay) Write(b []byte) (int, error) { return len(b), nil }
func (replay) Close() error                { return nil }

// FuzzInstant holds instant to package time, where it knows the form.
func FuzzInstant(f *testing.F) {
	for _, s := range []string{"2027-02-28T16:09:26.224Z", "2000-02-29T00:00:00Z", "1999-12-31T23:59:59.9Z", "2100-03-01T00:00:00Z", "2027-02-28T16:09:26+01:00", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := time.Parse(time.RFC3339Nano, s)
		if got := instant(s); err == nil && strings.HasSuffix(s, "Z") && want.Year() >= 1970 {
			if got != 0 && got != want.Unix() {
				t.Errorf("%s is %d, want %d", s, got, want.Unix())
			}
		}
	})
}

func TestInstant(t *testing.T) {
	for day := range 365 * 150 {
		want := time.Date(1970, 1, 1+day, 13, 14, 15, 0, time.UTC)
		if got := instant(want.Format(time.RFC3339)); got != want.Unix() {
			t.Fatalf("%s is %d, want %d", want.Format(time.RFC3339), got, want.Unix())
		}
	}
	for _, s := range []string{"", "2027-02-28", "2027-02-28T16:09:26", "2027-02-28T16:09:26+01:00", "2027-02-28 16:09:26Z", "2027-13-28T16:09:26Z", "2027-0a-28T16:09:26Z", "1969-12-31T23:59:59Z", "2027-02-28T16:09:26xZ"} {
		if got := instant(s); got != 0 {
			t.Errorf("%q is %d", s, got)
		}
	}
}
