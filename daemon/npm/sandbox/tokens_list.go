package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// listTokens lists the granular tokens that are not deleted, newest first
// (B.6).
func (s *Sandbox) listTokens(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("npm-notice", tokenNotice)
	c, ok := s.authorize(w, r)
	if !ok {
		return
	}
	if c.granular != nil && !s.switches.ListWithGranular {
		refuse(w, http.StatusUnauthorized, "Unauthorized")
		return
	}
	page, perPage := queryInt(r, "page", 0), max(1, queryInt(r, "perPage", 10))
	all := []map[string]any{}
	for _, t := range slices.Backward(s.state.Tokens) {
		if t.Revoked == nil {
			all = append(all, s.described(t))
		}
	}
	from := min(page*perPage, len(all))
	to := min(from+perPage, len(all))
	urls := map[string]string{}
	if to < len(all) {
		urls["next"] = s.pageURL(r, page+1, perPage)
	}
	if page > 0 {
		urls["prev"] = s.pageURL(r, page-1, perPage)
	}
	answerJSON(w, http.StatusOK, map[string]any{"objects": all[from:to], "total": len(all), "urls": urls})
}

func (s *Sandbox) pageURL(r *http.Request, page, perPage int) string {
	path := fmt.Sprintf("/-/npm/v1/tokens?page=%d&perPage=%d", page, perPage)
	if s.switches.PagingURLs == "relative" {
		return path
	}
	return "http://" + r.Host + path
}

func queryInt(r *http.Request, name string, otherwise int) int {
	n, err := strconv.Atoi(r.URL.Query().Get(name))
	if err != nil || n < 0 || n > 1_000_000 {
		return otherwise
	}
	return n
}
