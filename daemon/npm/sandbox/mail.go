package sandbox

import "time"

// Mail is a message to the person, with its code of 8 digits.
type Mail struct {
	To      string    `json:"to"`
	Subject string    `json:"subject"`
	Code    string    `json:"code"`
	Sent    time.Time `json:"sent"`
	Used    bool      `json:"used"`
}

func (s *Sandbox) email() string { return s.cfg.User + "@example.test" }

// maskedEmail is how the page of the e-mail code shows the address.
func (s *Sandbox) maskedEmail() string { return s.cfg.User[:1] + "***@example.test" }

// mailCode sends the person a code of 8 digits (B.4).
func (s *Sandbox) mailCode() {
	s.state.Mail = append(s.state.Mail, Mail{
		To: s.email(), Subject: "OTP for logging in to your npm account",
		Code: randomText(8, digits), Sent: s.now(),
	})
}

// goodMailCode takes a code once, while it lives.
func (s *Sandbox) goodMailCode(code string) bool {
	for i := range s.state.Mail {
		m := &s.state.Mail[i]
		if m.Code == code && !m.Used && !s.now().After(m.Sent.Add(seconds(s.switches.EmailOTPLife))) {
			m.Used = true
			return true
		}
	}
	return false
}
