package sandbox

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// upload is the body of `npm publish` and `npm stage publish`.
type upload struct {
	Name        string                    `json:"name"`
	Access      string                    `json:"access"` // "public", "restricted" or none
	DistTags    map[string]string         `json:"dist-tags"`
	Versions    map[string]map[string]any `json:"versions"`
	Attachments map[string]struct {
		Data string `json:"data"`
	} `json:"_attachments"`
}

// release is an upload that was found in order.
type release struct {
	name, number, tag string
	restricted        bool
	version           *version
}

// putPackage is a publication, or a deprecation when nothing is attached; at
// a revision it is the beginning of `npm unpublish`.
func (s *Sandbox) putPackage(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Path, "/-rev/") {
		s.guarded(notPlayed)(w, r)
		return
	}
	name, file, ok := packagePath(r)
	if !ok || file != "" {
		s.nothingHere(w, r)
		return
	}
	var u upload
	if err := json.NewDecoder(r.Body).Decode(&u); err != nil || u.Name != name {
		refuse(w, http.StatusBadRequest, "the body is not the document of this package")
		return
	}
	c, ok := s.publisher(w, r, name)
	if !ok {
		return
	}
	if len(u.Attachments) == 0 {
		s.deprecate(w, r, c, u)
		return
	}
	if !s.mayPublishDirectly(w, c) {
		return
	}
	rel, ok := s.readRelease(w, u)
	if !ok || !s.passFactor(w, r, c) {
		return
	}
	s.put(rel.name, rel.number, rel.tag, rel.restricted, rel.version)
	answerJSON(w, http.StatusOK, map[string]any{"ok": true, "success": true})
}

const notWithThese = "You may not perform that action with these credentials."

// publisher is a caller that may write to this package. The token of a
// publication that is dead is often told "not found" (B.9).
func (s *Sandbox) publisher(w http.ResponseWriter, r *http.Request, name string) (caller, bool) {
	c, why := s.caller(r)
	switch {
	case why == dead && s.switches.DeadTokenPublish == http.StatusNotFound:
		w.Header().Set("npm-notice", deadTokenNotice)
		notFound(w)
	case why != accepted:
		refuseCaller(w, why)
	case !s.notFrozen(w):
	case !c.mayWrite(name):
		refuse(w, http.StatusForbidden, notWithThese)
	case s.state.Packages[name] == nil && scopeOf(name) != "" && !s.ownsScope(scopeOf(name)):
		refuse(w, http.StatusNotFound, "Scope not found")
	default:
		return c, true
	}
	return caller{}, false
}

// mayWrite: organization permission never gives publish rights (C).
func (c caller) mayWrite(name string) bool {
	return c.session != nil || strings.HasPrefix(c.granular.Permission, permissionWrite) && c.granular.covers(name)
}

// mayPublishDirectly refuses stage-only tokens, and from January 2027 those
// that bypass 2FA.
func (s *Sandbox) mayPublishDirectly(w http.ResponseWriter, c caller) bool {
	text := ""
	switch {
	case c.granular == nil:
	case c.granular.Permission == permissionStage:
		text = "E_STAGE_REQUIRED: This token can only stage packages. Run `npm stage publish` and have the version approved."
	case c.granular.Bypass2FA && s.switches.January2027:
		text = "E_STAGE_REQUIRED: Bypass-2FA tokens with direct-publish access have stopped working. Run `npm stage publish` and have the version approved. See https://gh.io/bypass-2fa-tokens-no-longer-publish"
	}
	if text == "" {
		return true
	}
	answerJSON(w, http.StatusForbidden, map[string]string{"code": "E_STAGE_REQUIRED", "error": text})
	return false
}

// passFactor asks for the person unless the token bypasses 2FA (B.9).
func (s *Sandbox) passFactor(w http.ResponseWriter, r *http.Request, c caller) bool {
	if c.bypasses() || s.inCooldown(c.value) {
		return true
	}
	if !s.hasFactor() || c.granular != nil && s.switches.PublishWithoutBypass == "forbidden" {
		refuse(w, http.StatusForbidden, "Two-factor authentication or granular access token with bypass 2fa enabled is required to publish packages.")
		return false
	}
	return s.requireOTP(w, r, c.value)
}

// readRelease checks that an upload is one new version with its tarball, and
// that the tarball is the one that its manifest names.
func (s *Sandbox) readRelease(w http.ResponseWriter, u upload) (release, bool) {
	bad := func(text string) (release, bool) {
		refuse(w, http.StatusBadRequest, text)
		return release{}, false
	}
	if len(u.Versions) != 1 || len(u.DistTags) > 1 {
		return bad("a publication is one version under one tag")
	}
	rel := release{name: u.Name, tag: "latest", restricted: scopeOf(u.Name) != "" && u.Access != "public"}
	for number, manifest := range u.Versions {
		rel.number, rel.version = number, &version{Manifest: manifest}
	}
	for tag, number := range u.DistTags {
		if rel.tag = tag; number != rel.number {
			return bad("the tag names another version")
		}
	}
	if u.Access == "restricted" && scopeOf(u.Name) == "" {
		return bad("Can't restrict access to unscoped packages.")
	}
	if rel.version.Manifest["name"] != u.Name || rel.version.Manifest["version"] != rel.number {
		return bad("the manifest is of another package or version")
	}
	attached, ok := u.Attachments[u.Name+"-"+rel.number+".tgz"]
	tarball, err := base64.StdEncoding.DecodeString(attached.Data)
	if !ok || err != nil || len(tarball) == 0 {
		return bad("the tarball is missing")
	}
	dist, _ := rel.version.Manifest["dist"].(map[string]any)
	if integrity := distOf(tarball)["integrity"]; dist["integrity"] != integrity {
		return bad("the tarball does not match its integrity")
	}
	rel.version.Tarball = tarball
	if s.released(rel.name, rel.number) {
		refuse(w, http.StatusForbidden, fmt.Sprintf("You cannot publish over the previously published versions: %s.", rel.number))
		return release{}, false
	}
	return rel, true
}

func (s *Sandbox) released(name, number string) bool {
	p := s.state.Packages[name]
	return p != nil && p.Versions[number] != nil
}

// deprecate takes the deprecation messages of a document without attachments.
// Stage-only tokens may do this (CL-2026-09-18).
func (s *Sandbox) deprecate(w http.ResponseWriter, r *http.Request, c caller, u upload) {
	p := s.state.Packages[u.Name]
	if p == nil {
		notFound(w)
		return
	}
	if !s.passFactor(w, r, c) {
		return
	}
	for number, manifest := range u.Versions {
		v := p.Versions[number]
		if v == nil {
			continue
		}
		if text, ok := manifest["deprecated"].(string); ok && text != "" {
			v.Manifest["deprecated"] = text
		} else {
			delete(v.Manifest, "deprecated")
		}
	}
	p.Modified = s.now()
	answerJSON(w, http.StatusOK, map[string]any{"ok": true, "success": true})
}

// distOf is what npm says of a tarball.
func distOf(tarball []byte) map[string]any {
	long, short := sha512.Sum512(tarball), sha1.Sum(tarball)
	return map[string]any{
		"integrity": "sha512-" + base64.StdEncoding.EncodeToString(long[:]),
		"shasum":    hex.EncodeToString(short[:]),
	}
}

// emptyTarball is a package with nothing but its package.json.
func emptyTarball(name, number string) []byte {
	manifest, _ := json.Marshal(map[string]string{"name": name, "version": number})
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	tw := tar.NewWriter(gz)
	// Writing to memory does not fail.
	_ = tw.WriteHeader(&tar.Header{Name: "package/package.json", Mode: 0o644, Size: int64(len(manifest))})
	_, _ = tw.Write(manifest)
	_ = tw.Close()
	_ = gz.Close()
	return b.Bytes()
}
