package sandbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// pkg is a published package.
type pkg struct {
	Name       string                    `json:"name"`
	Restricted bool                      `json:"restricted"` // private: to be read with a token only
	Created    time.Time                 `json:"created"`
	Modified   time.Time                 `json:"modified"`
	DistTags   map[string]string         `json:"dist_tags"`
	Versions   map[string]*version       `json:"versions"`
	Trusted    map[string]map[string]any `json:"trusted"` // trusted publishers, by id
}

// version is one published version: its manifest as the client sent it, and
// its tarball.
type version struct {
	Manifest  map[string]any `json:"manifest"`
	Tarball   []byte         `json:"tarball"`
	Published time.Time      `json:"published"`
}

// abbreviated is what a manifest keeps in the install format.
var abbreviated = []string{
	"name", "version", "deprecated", "dependencies", "optionalDependencies", "devDependencies",
	"bundleDependencies", "bundledDependencies", "peerDependencies", "peerDependenciesMeta", "acceptDependencies",
	"bin", "directories", "dist", "engines", "cpu", "os", "libc", "funding", "hasInstallScript", "_hasShrinkwrap",
}

const installFormat = "application/vnd.npm.install-v1+json"

// packagePath reads /name, /@scope/name, /@scope%2fname, each with an optional
// /-/file.tgz behind it.
func packagePath(r *http.Request) (name, file string, ok bool) {
	path, err := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/"))
	if err != nil {
		return "", "", false
	}
	name, file, _ = strings.Cut(path, "/-/")
	return name, file, validPackageName(name) && !strings.Contains(file, "/")
}

func validPackageName(name string) bool {
	scope, base, scoped := strings.Cut(name, "/")
	if !scoped {
		scope, base = "", name
	} else if len(scope) < 2 || scope[0] != '@' {
		return false
	}
	if base == "" || len(name) > 214 || strings.ContainsAny(base[:1], "._-") {
		return false
	}
	return !strings.ContainsFunc(strings.TrimPrefix(scope, "@")+base, func(c rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-._~", c)
	})
}

// scopeOf is "@scope", or "" for a package without one.
func scopeOf(name string) string {
	scope, _, ok := strings.Cut(name, "/")
	if !ok {
		return ""
	}
	return scope
}

// tarballName is the file of a version: the name without its scope.
func tarballName(name, version string) string {
	return strings.TrimPrefix(name, scopeOf(name)+"/") + "-" + version + ".tgz"
}

// getPackage serves packuments and tarballs. A private package is not found
// without a token that may read it, whatever the reason.
func (s *Sandbox) getPackage(w http.ResponseWriter, r *http.Request) {
	name, file, ok := packagePath(r)
	p := s.state.Packages[name]
	if !ok || p == nil {
		s.nothingHere(w, r)
		return
	}
	if p.Restricted && !s.mayReadPrivate(w, r, name) {
		return
	}
	if file == "" {
		s.answerPackument(w, r, p)
		return
	}
	for number, v := range p.Versions {
		if file == tarballName(name, number) {
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = w.Write(v.Tarball)
			return
		}
	}
	notFound(w)
}

func (s *Sandbox) mayReadPrivate(w http.ResponseWriter, r *http.Request, name string) bool {
	c, why := s.caller(r)
	switch {
	case why == wrongAddress:
		refuseCaller(w, why)
		return false
	case why == accepted && c.mayRead(name):
		return true
	case why == dead:
		w.Header().Set("npm-notice", deadTokenNotice)
	}
	notFound(w)
	return false
}

// mayRead reports whether the caller sees this private package.
func (c caller) mayRead(name string) bool {
	return c.session != nil || c.granular.Permission != permissionNone && c.granular.covers(name)
}

// covers reports whether the token is for this package.
func (t *granularToken) covers(name string) bool {
	return t.PackagesAll || slices.Contains(t.Packages, name) ||
		scopeOf(name) != "" && slices.Contains(t.Scopes, scopeOf(name))
}

func (s *Sandbox) answerPackument(w http.ResponseWriter, r *http.Request, p *pkg) {
	short := strings.Contains(r.Header.Get("Accept"), installFormat)
	versions := map[string]any{}
	times := map[string]any{"created": p.Created, "modified": p.Modified}
	for number, v := range p.Versions {
		versions[number] = served(r, p.Name, number, v, short)
		times[number] = v.Published
	}
	doc := map[string]any{"name": p.Name, "dist-tags": p.DistTags, "versions": versions}
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Vary", "Accept")
	if short {
		doc["modified"] = p.Modified
		w.Header().Set("Content-Type", installFormat)
		answerJSON(w, http.StatusOK, doc)
		return
	}
	doc["_id"], doc["_rev"], doc["time"] = p.Name, couchRev, times
	doc["maintainers"] = []map[string]string{{"name": s.cfg.User, "email": s.email()}}
	if latest := p.Versions[p.DistTags["latest"]]; latest != nil {
		doc["description"], doc["readme"] = latest.Manifest["description"], latest.Manifest["readme"]
	}
	answerJSON(w, http.StatusOK, doc)
}

// served is a manifest as it goes out: its tarball at the address that the
// client used, so that its credentials are sent there too.
func served(r *http.Request, name, number string, v *version, short bool) map[string]any {
	out := map[string]any{}
	for k, value := range v.Manifest {
		if !short || slices.Contains(abbreviated, k) {
			out[k] = value
		}
	}
	dist := map[string]any{}
	if sent, ok := v.Manifest["dist"].(map[string]any); ok {
		for k, value := range sent {
			dist[k] = value
		}
	}
	dist["tarball"] = "http://" + r.Host + "/" + name + "/-/" + tarballName(name, number)
	out["dist"] = dist
	return out
}

// seedPackage (POST /-/sandbox/packages {"name":…,"restricted":…}) makes a
// package exist, so that a token can be limited to it: one version, 0.0.0, with
// nothing in it.
func (s *Sandbox) seedPackage(w http.ResponseWriter, r *http.Request) {
	var seed struct {
		Name       string `json:"name"`
		Restricted bool   `json:"restricted"`
	}
	err := json.NewDecoder(r.Body).Decode(&seed)
	switch {
	case err != nil || !validPackageName(seed.Name):
		refuse(w, http.StatusBadRequest, `send {"name":"…"}, a valid package name, and "restricted":true for a private one`)
	case s.state.Packages[seed.Name] != nil:
		refuse(w, http.StatusConflict, "the package exists already")
	default:
		s.seed(seed.Name, seed.Restricted)
		answerJSON(w, http.StatusCreated, seed)
	}
}

// AddPackage makes a package exist; see seedPackage.
func (s *Sandbox) AddPackage(name string, restricted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seed(name, restricted)
	s.save()
}

func (s *Sandbox) seed(name string, restricted bool) {
	const number = "0.0.0"
	tarball := emptyTarball(name, number)
	s.put(name, number, "latest", restricted, &version{
		Manifest: map[string]any{"name": name, "version": number, "dist": distOf(tarball)},
		Tarball:  tarball,
	})
}

// put publishes a version.
func (s *Sandbox) put(name, number, tag string, restricted bool, v *version) {
	now := s.now()
	p := s.state.Packages[name]
	if p == nil {
		p = &pkg{
			Name: name, Restricted: restricted, Created: now,
			DistTags: map[string]string{"latest": number}, Versions: map[string]*version{},
		}
		s.state.Packages[name] = p
	}
	v.Published = now
	p.Modified = now
	p.Versions[number] = v
	p.DistTags[tag] = number
}
