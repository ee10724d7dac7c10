package sandbox

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/google/renameio/v2"
	"github.com/google/uuid"
)

// state is all that the sandbox knows beside its configuration, as it stands
// in the state file.
type state struct {
	User        string                 `json:"user"`
	ClockOffset time.Duration          `json:"clock_offset"`
	Created     time.Time              `json:"created"`
	Tokens      []*granularToken       `json:"tokens"`
	Sessions    []*sessionToken        `json:"sessions"`
	WebSessions map[string]*webSession `json:"web_sessions"`
	Flows       map[string]*authFlow   `json:"flows"`
	WebOTPs     map[string]*webOTP     `json:"web_otps"`
	UsedCodes   map[string]time.Time   `json:"used_codes"`
	Cooldowns   map[string]time.Time   `json:"cooldowns"` // by token, until when
	Mail        []Mail                 `json:"mail"`
	Keys        []*keyState            `json:"security_keys"`          // null: there never was one
	Key         *keyState              `json:"security_key,omitempty"` // of older files, whose account had one key
	UserHandle  []byte                 `json:"user_handle"`
	Packages    map[string]*pkg        `json:"packages"`
	Stages      []*stage               `json:"stages"`
	Profile     map[string]any         `json:"profile"`
}

// load reads the state file, or begins a new state.
func (s *Sandbox) load() error {
	s.state = state{User: s.cfg.User, Created: s.now()}
	if s.cfg.StateFile != "" {
		b, err := os.ReadFile(s.cfg.StateFile)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("read the sandbox's state: %w", err)
		default:
			if err := json.Unmarshal(b, &s.state); err != nil {
				return fmt.Errorf("read the sandbox's state: %s is not a state file", s.cfg.StateFile)
			}
		}
	}
	if s.state.User != s.cfg.User {
		return fmt.Errorf("the state in %s belongs to user %q: give another file, or that user", s.cfg.StateFile, s.state.User)
	}
	s.state.makeMaps()
	if err := s.state.keepKeys(s.cfg.SecurityKey, s.now()); err != nil {
		return err
	}
	s.save()
	return nil
}

func (st *state) makeMaps() {
	if st.WebSessions == nil {
		st.WebSessions = map[string]*webSession{}
	}
	if st.Flows == nil {
		st.Flows = map[string]*authFlow{}
	}
	if st.WebOTPs == nil {
		st.WebOTPs = map[string]*webOTP{}
	}
	if st.UsedCodes == nil {
		st.UsedCodes = map[string]time.Time{}
	}
	if st.Cooldowns == nil {
		st.Cooldowns = map[string]time.Time{}
	}
	if st.Packages == nil {
		st.Packages = map[string]*pkg{}
	}
	if st.Profile == nil {
		st.Profile = map[string]any{}
	}
}

// save writes the state file. A failure is logged: the sandbox goes on in
// memory.
func (s *Sandbox) save() {
	if s.cfg.StateFile == "" {
		return
	}
	b, err := json.Marshal(&s.state)
	if err == nil {
		err = renameio.WriteFile(s.cfg.StateFile, b, 0o600, renameio.WithStaticPermissions(0o600))
	}
	if err != nil {
		s.cfg.Log.Error("the state was not saved", "file", s.cfg.StateFile, "err", err)
	}
}

func newUUID() string { return uuid.NewString() }

const digits = "0123456789"
const base62 = digits + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// randomText draws n characters of alphabet, each equally likely.
func randomText(n int, alphabet string) string {
	limit := 256 - 256%len(alphabet)
	out := make([]byte, 0, n)
	var b [64]byte
	for len(out) < n {
		_, _ = rand.Read(b[:]) // never fails
		for _, c := range b {
			if int(c) < limit && len(out) < n {
				out = append(out, alphabet[int(c)%len(alphabet)])
			}
		}
	}
	return string(out)
}
