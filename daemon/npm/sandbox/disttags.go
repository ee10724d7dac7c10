package sandbox

import (
	"encoding/json"
	"net/http"
)

// getDistTags answers `npm dist-tag ls`.
func (s *Sandbox) getDistTags(w http.ResponseWriter, r *http.Request) {
	p := s.state.Packages[r.PathValue("name")]
	if p == nil {
		notFound(w)
		return
	}
	if p.Restricted && !s.mayReadPrivate(w, r, p.Name) {
		return
	}
	answerJSON(w, http.StatusOK, p.DistTags)
}

// putDistTag moves a tag. Stage-only tokens may (CL-2026-09-18).
func (s *Sandbox) putDistTag(w http.ResponseWriter, r *http.Request) {
	p, ok := s.tagged(w, r)
	if !ok {
		return
	}
	var number string
	if err := json.NewDecoder(r.Body).Decode(&number); err != nil || p.Versions[number] == nil {
		refuse(w, http.StatusBadRequest, "there is no such version")
		return
	}
	p.DistTags[r.PathValue("tag")] = number
	answerJSON(w, http.StatusCreated, map[string]any{"ok": true})
}

func (s *Sandbox) deleteDistTag(w http.ResponseWriter, r *http.Request) {
	p, ok := s.tagged(w, r)
	if !ok {
		return
	}
	if r.PathValue("tag") == "latest" {
		refuse(w, http.StatusBadRequest, "the latest tag cannot be removed")
		return
	}
	delete(p.DistTags, r.PathValue("tag"))
	w.WriteHeader(http.StatusNoContent)
}

// tagged is the package whose tags the caller may change; the person's factor
// is passed.
func (s *Sandbox) tagged(w http.ResponseWriter, r *http.Request) (*pkg, bool) {
	name := r.PathValue("name")
	c, ok := s.publisher(w, r, name)
	if !ok {
		return nil, false
	}
	p := s.state.Packages[name]
	if p == nil {
		notFound(w)
		return nil, false
	}
	return p, s.passFactor(w, r, c)
}
