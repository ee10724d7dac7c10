package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// stage is a version that waits for a person's approval.
type stage struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Number     string    `json:"number"`
	Tag        string    `json:"tag"`
	Restricted bool      `json:"restricted"`
	Created    time.Time `json:"created"`
	ActorType  string    `json:"actor_type"`
	Version    *version  `json:"version"`
}

func (s *Sandbox) postStageOrApprove(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.PathValue("id") == "package":
		s.postStage(w, r)
	case r.PathValue("name") == "approve":
		s.approveStage(w, r)
	default:
		notFound(w)
	}
}

// postStage stages a version. It never asks for the second factor: that is
// asked for at the approval. A package that was never published cannot be
// staged.
func (s *Sandbox) postStage(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	var u upload
	if err := json.NewDecoder(r.Body).Decode(&u); err != nil || u.Name != name || !validPackageName(name) {
		refuse(w, http.StatusBadRequest, "the body is not the document of this package")
		return
	}
	c, ok := s.publisher(w, r, name)
	if !ok {
		return
	}
	if s.state.Packages[name] == nil && !s.switches.StageNewPackages {
		notFound(w)
		return
	}
	rel, ok := s.readRelease(w, u)
	if !ok {
		return
	}
	if slices.ContainsFunc(s.state.Stages, func(st *stage) bool { return st.Name == name && st.Number == rel.number }) {
		refuse(w, http.StatusConflict, fmt.Sprintf("Version %s is staged already.", rel.number))
		return
	}
	st := &stage{
		ID: newUUID(), Name: name, Number: rel.number, Tag: rel.tag, Restricted: rel.restricted,
		Created: s.now(), ActorType: c.actorType(), Version: rel.version,
	}
	s.state.Stages = append(s.state.Stages, st)
	answerJSON(w, http.StatusCreated, map[string]any{"ok": true, "stageId": st.ID})
}

// listStages lists what the caller may write to, oldest first.
func (s *Sandbox) listStages(w http.ResponseWriter, r *http.Request) {
	c, ok := s.authorize(w, r)
	if !ok {
		return
	}
	page, perPage := queryInt(r, "page", 0), max(1, queryInt(r, "perPage", 10))
	filter := r.URL.Query().Get("package")
	items := []map[string]any{}
	for _, st := range s.state.Stages {
		if (filter == "" || filter == st.Name) && c.mayWrite(st.Name) {
			items = append(items, s.stageItem(st))
		}
	}
	from := min(page*perPage, len(items))
	to := min(from+perPage, len(items))
	answerJSON(w, http.StatusOK, map[string]any{"items": items[from:to], "total": len(items), "page": page, "perPage": perPage})
}

// stageItem has the fields that the npm client prints.
func (s *Sandbox) stageItem(st *stage) map[string]any {
	dist, _ := st.Version.Manifest["dist"].(map[string]any)
	return map[string]any{
		"id": st.ID, "packageName": st.Name, "version": st.Number, "tag": st.Tag, "status": "pending",
		"createdAt": st.Created, "actor": s.cfg.User, "actorType": st.ActorType, "shasum": dist["shasum"],
	}
}

// staged finds a stage that the caller may write to.
func (s *Sandbox) staged(w http.ResponseWriter, r *http.Request) (*stage, caller, bool) {
	c, ok := s.authorize(w, r)
	if !ok {
		return nil, c, false
	}
	i := slices.IndexFunc(s.state.Stages, func(st *stage) bool { return st.ID == r.PathValue("id") })
	if i < 0 || !c.mayWrite(s.state.Stages[i].Name) {
		notFound(w)
		return nil, c, false
	}
	return s.state.Stages[i], c, true
}

func (s *Sandbox) getStage(w http.ResponseWriter, r *http.Request) {
	if st, _, ok := s.staged(w, r); ok {
		answerJSON(w, http.StatusOK, s.stageItem(st))
	}
}

func (s *Sandbox) getStageTarball(w http.ResponseWriter, r *http.Request) {
	if st, _, ok := s.staged(w, r); ok {
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write(st.Version.Tarball)
	}
}

// approveStage publishes a stage. It always takes a person: no token bypasses
// this.
func (s *Sandbox) approveStage(w http.ResponseWriter, r *http.Request) {
	st, c, ok := s.staged(w, r)
	if !ok || !s.notFrozen(w) || !s.requireOTP(w, r, c.value) {
		return
	}
	if s.released(st.Name, st.Number) {
		refuse(w, http.StatusForbidden, fmt.Sprintf("You cannot publish over the previously published versions: %s.", st.Number))
		return
	}
	s.put(st.Name, st.Number, st.Tag, st.Restricted, st.Version)
	s.dropStage(st)
	answerJSON(w, http.StatusOK, map[string]any{"ok": true})
}

func (s *Sandbox) rejectStage(w http.ResponseWriter, r *http.Request) {
	st, c, ok := s.staged(w, r)
	if !ok || !s.notFrozen(w) || !s.requireOTP(w, r, c.value) {
		return
	}
	s.dropStage(st)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sandbox) dropStage(st *stage) {
	s.state.Stages = slices.DeleteFunc(s.state.Stages, func(other *stage) bool { return other == st })
}
