package npm

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"rotd/ipc/secret"
)

// stages is a registry with so many staged versions, which it shows to one token.
func stages(t *testing.T, total int, token string) (registry string) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var page, perPage int
		_, err := fmt.Sscanf(r.URL.RawQuery, "page=%d&perPage=%d", &page, &perPage)
		if r.URL.Path != "/-/stage" || err != nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprintf(w, `{"error":"who is %s?"}`, r.Header.Get("Authorization"))
			return
		}
		var items []string
		for i := page * perPage; i < min(total, (page+1)*perPage); i++ {
			items = append(items, fmt.Sprintf(`{"id":"id-%d","packageName":"@acme/p%d","version":"1.0.%d","tag":"next","actor":"ada","createdAt":"2026-11-24T01:02:03.000Z"}`, i, i, i))
		}
		_, _ = fmt.Fprintf(w, `{"items":[%s],"total":%d}`, strings.Join(items, ","), total)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestStaged(t *testing.T) {
	const token = "npm_EXAMPLE"
	for _, total := range []int{0, 1, stagesPerPage, 2*stagesPerPage + 3} {
		all, err := Staged(t.Context(), stages(t, total, token), secret.New(token))
		if err != nil || len(all) != total {
			t.Fatalf("%d of %d: %v", len(all), total, err)
		}
		for i, s := range all {
			if s.ID != fmt.Sprintf("id-%d", i) || s.Package != fmt.Sprintf("@acme/p%d", i) || s.Tag != "next" || s.By != "ada" || s.Created.Second() != 3 {
				t.Errorf("%d is %+v", i, s)
			}
		}
	}
	_, err := Staged(t.Context(), stages(t, 1, token), secret.New("npm_OTHEREXAMPLE"))
	if err == nil || strings.Contains(err.Error(), "npm_OTHER") {
		t.Errorf("of a wrong token: %v", err)
	}
	if _, err := Staged(t.Context(), stages(t, 1<<20, token), secret.New(token)); !errors.Is(err, ErrGarbled) {
		t.Errorf("of a list without an end: %v", err)
	}
	if _, err := Staged(t.Context(), stages(t, 1, token)+"/elsewhere", secret.New(token)); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "no staged publishing") {
		t.Errorf("of a registry without: %v", err)
	}
}
