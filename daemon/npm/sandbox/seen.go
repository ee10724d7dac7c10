package sandbox

import "slices"

// OpenPages are the paths of the pages that a registry request waits for: what
// loginUrl and authUrl name, while nobody has been there.
func (s *Sandbox) OpenPages() (paths []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	prefix := map[string]string{flowLogin: "/login/cli/", flowOTP: "/auth/cli/"}
	for id, f := range s.state.Flows {
		if f.Result == "" && prefix[f.Kind] != "" && s.flow(id, f.Kind) != nil {
			paths = append(paths, prefix[f.Kind]+id)
		}
	}
	slices.Sort(paths)
	return paths
}

// Values are the secret texts that the account has, or had: tokens, session
// tokens, and the website's cookies. They are for a test that looks for them
// where they must not be.
func (s *Sandbox) Values() (values []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.state.Tokens {
		values = append(values, t.Value)
	}
	for _, t := range s.state.Sessions {
		values = append(values, t.Value)
	}
	for id := range s.state.WebSessions {
		values = append(values, id)
	}
	for code := range s.state.WebOTPs {
		values = append(values, code)
	}
	slices.Sort(values)
	return values
}
