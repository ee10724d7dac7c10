package sandbox_test

import (
	"encoding/base64"
	"strings"
	"testing"
)

// An upload that is not in order is refused before anything is kept.
func TestUploadRefused(t *testing.T) {
	s, base := start(t, withTOTP)
	session := couchLogin(t, base, code(t))
	bypass := create(t, base, session, code(t), publishShape("bypass"))
	tarball := base64.StdEncoding.EncodeToString([]byte("not what the integrity says"))
	manifest := map[string]any{"name": "x", "version": "1.0.0", "dist": map[string]any{"integrity": "sha512-EXAMPLE"}}
	attached := map[string]any{"x-1.0.0.tgz": map[string]any{"data": tarball}}
	for name, c := range map[string]struct {
		body any
		text string
	}{
		"not JSON":        {"nonsense", "document"},
		"another package": {map[string]any{"name": "y"}, "document"},
		"two tags":        {map[string]any{"name": "x", "dist-tags": map[string]any{"a": "1.0.0", "b": "1.0.0"}, "versions": map[string]any{"1.0.0": manifest}, "_attachments": attached}, "one version under one tag"},
		"another tag":     {map[string]any{"name": "x", "dist-tags": map[string]any{"latest": "2.0.0"}, "versions": map[string]any{"1.0.0": manifest}, "_attachments": attached}, "names another version"},
		"another version": {map[string]any{"name": "x", "versions": map[string]any{"2.0.0": manifest}, "_attachments": attached}, "of another package or version"},
		"no tarball":      {map[string]any{"name": "x", "versions": map[string]any{"1.0.0": manifest}, "_attachments": map[string]any{"other": map[string]any{}}}, "tarball is missing"},
		"wrong integrity": {map[string]any{"name": "x", "versions": map[string]any{"1.0.0": manifest}, "_attachments": attached}, "does not match its integrity"},
		"restricted":      {map[string]any{"name": "x", "access": "restricted", "versions": map[string]any{"1.0.0": manifest}, "_attachments": attached}, "Can't restrict access to unscoped packages."},
	} {
		a := call(t, "PUT", base+"/x", c.body, "Authorization", bearer(bypass))
		if a.status != 400 || !strings.Contains(a.text(t, "error"), c.text) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := call(t, "GET", base+"/x", nil); a.status != 404 {
		t.Errorf("something was kept: %d", a.status)
	}
	set(t, s, `{"dead_token_publish":401}`)
	if a := call(t, "PUT", base+"/x", map[string]any{"name": "x"}, "Authorization", "Bearer npm_EXAMPLE"); a.status != 401 {
		t.Errorf("a dead token: %d", a.status)
	}
	for _, path := range []string{"/X", "/_x", "/@/x", "/x/y", "/.x", "/@acme%2f", "/x/-/y.tgz"} {
		if a := call(t, "PUT", base+path, map[string]any{"name": "x"}, "Authorization", bearer(bypass)); a.status != 404 && a.status != 400 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}
