package cmd_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/ipc/socket"
)

// The ROT's value, and one that is not.
const (
	freshToken = "npm_0123456789abcdefghijklmnopqrsEXAMPLE"
	staleToken = "npm_staleEXAMPLE"
)

// scene is a home with a project in it, and the environment. KEY stands for the
// registry's key, HOST for that of its host, KEY: for one without the slash, FRESH and STALE for the tokens, HOME and REGISTRY for what they
// are.
type scene struct {
	name  string
	path  string // of the registry
	files map[string]string
	env   []string
}

var scenes = []scene{
	{name: "the user's file", files: map[string]string{".npmrc": "KEY=FRESH\n"}},
	{name: "the project's hides it", files: map[string]string{".npmrc": "KEY=FRESH\n", "p/.npmrc": "KEY=STALE\n", "p/.yarnrc.yml": "npmAuthToken: STALE\n", ".yarnrc.yml": "npmAuthToken: FRESH\n"}},
	{name: "a variable that is not set hides it", files: map[string]string{".npmrc": "KEY=FRESH\n", "p/.npmrc": "KEY=${UNSET_TOKEN}\n"}},
	{name: "variables", files: map[string]string{".npmrc": "KEY=STALE\n", ".yarnrc.yml": "npmAuthToken: STALE\n"},
		env: []string{"npm_config_KEY=FRESH", "BUN_CONFIG_TOKEN=FRESH", "YARN_NPM_AUTH_TOKEN=FRESH"}},
	{name: "files of their own", files: map[string]string{".npmrc": "KEY=STALE\n", ".config/pnpm/auth.ini": "KEY=FRESH\n",
		".yarnrc.yml":   "npmRegistries:\n  \"REGISTRY\":\n    npmAuthToken: FRESH\n",
		"p/bunfig.toml": "[install]\nregistry = { url = \"REGISTRY/\", token = \"FRESH\" }\n"}, env: []string{"YARN_NPM_AUTH_TOKEN=STALE"}},
	{name: "the host's", path: "/npm", files: map[string]string{".npmrc": "HOST=FRESH\n"}},
	{name: "a helper, and a key without its slash", files: map[string]string{".npmrc": "KEY:=FRESH\n", ".config/pnpm/auth.ini": "HELPER=HOME/h\n", "h": "#!/bin/sh\necho Bearer FRESH\n"}},
}

// TestPrecedence holds rot npmrc --check to what the real package managers send:
// in every scene, each takes the ROT's token where the check says so, and another
// or none where it does not.
func TestPrecedence(t *testing.T) {
	dir, err := os.MkdirTemp("", "t")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	tools := map[string]string{}
	for _, cl := range pkgClients(t) {
		if deedsOf(cl) != nil {
			tools[cl.major()] = cl.tools(t, filepath.Join(dir, "tools"))
		}
	}
	var wg sync.WaitGroup
	turns := make(chan struct{}, 2)
	for i, s := range scenes {
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			s.play(t, filepath.Join(dir, fmt.Sprint(i)), tools)
		})
	}
	wg.Wait()
}

// play has every client run in the scene, and compares.
func (s scene) play(t *testing.T, dir string, tools map[string]string) {
	var mu sync.Mutex
	var sent []string
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		sent = append(sent, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "{}")
	}))
	defer registry.Close()
	address := "http://localhost" + registry.URL[strings.LastIndexByte(registry.URL, ':'):] + s.path
	env, err := s.set(dir, address)
	if err != nil {
		t.Error(err)
		return
	}
	defer serveROT(t, filepath.Join(dir, "s"), address)()
	says := s.check(t, dir, append(slices.Clone(env), "PATH="+tools["npm 11"]))
	for major, path := range tools {
		client, version, _ := strings.Cut(major, " ")
		name, isOf := client, map[string]string{"pnpm 10": "pnpm 10", "pnpm": "pnpm 11+", "yarn 1": "Yarn 1", "yarn 4": "Yarn 2+", "bun": "Bun"}
		if n := isOf[major]; n != "" {
			name = n
		} else if n := isOf[client]; n != "" {
			name = n
		}
		argv := deedsOf(pkgClient{name: client, version: version + ".0"})["whoami"]
		if client == "pnpm" || client == "bun" || major == "yarn 1" {
			argv = append(slices.Clone(deedsOf(pkgClient{name: client, version: version + ".0"})["install"]), "@acme/private")
		}
		mu.Lock()
		sent = nil
		mu.Unlock()
		said, _ := runIn(t.Context(), filepath.Join(dir, "p"), append(slices.Clone(env), "PATH="+path), argv...)
		mu.Lock()
		fresh := len(sent) > 0 && !slices.ContainsFunc(sent, func(v string) bool { return v != freshToken })
		if fresh != says[name] {
			t.Errorf("%s: %s takes the ROT's token: %v, and rot says %v\nsent %q\n%s", s.name, major, fresh, says[name], sent, said)
		}
		mu.Unlock()
	}
}

// set writes the files, and returns the environment without a PATH.
func (s scene) set(dir, registry string) ([]string, error) {
	key := strings.TrimPrefix(registry, "http:")
	fill := strings.NewReplacer("KEY:", key+":_authToken", "KEY", key+"/:_authToken", "HOST", strings.TrimSuffix(key, s.path)+"/:_authToken", "HELPER", key+"/:tokenHelper",
		"FRESH", freshToken, "STALE", staleToken, "HOME", dir, "REGISTRY", registry)
	files := map[string]string{"p/package.json": `{"name":"p","version":"1.0.0"}`, "p/yarn.lock": "", ".npmrc": "", "p/.yarnrc.yml": ""}
	for name, text := range s.files {
		files[name] = fill.Replace(text)
	}
	files[".npmrc"] = "registry=" + registry + "/\n" + files[".npmrc"]
	files["p/.yarnrc.yml"] += fmt.Sprintf("npmRegistryServer: %q\nunsafeHttpWhitelist: [localhost]\n", registry)
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			return nil, err
		}
	}
	env := []string{"HOME=" + dir, "ROTD_SOCKET=" + filepath.Join(dir, "s"), "NO_UPDATE_NOTIFIER=1", "npm_config_update_notifier=false",
		"npm_config_fetch_retries=0", "YARN_ENABLE_TELEMETRY=0", "YARN_HTTP_RETRY=0", "LANG=C",
		"YARN_CACHE_FOLDER=" + filepath.Join(dir, "yarn")} // Yarn 1's, which all share where they are root
	for _, kv := range s.env {
		env = append(env, fill.Replace(kv))
	}
	return env, nil
}

// serveROT is as much of rotd as the check asks.
func serveROT(t *testing.T, path, registry string) (stop func()) {
	ln, err := socket.Listen(t.Context(), path)
	if err != nil {
		t.Error(err)
		return func() {}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+ipc.PathToken, func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(ipc.Token{ROT: "rot://rot_a2c4q7y3k5m6n2p4", Generation: 1, Value: secret.NewWire(freshToken), Registry: registry})
	})
	srv := &http.Server{Handler: mux}
	go func() { _ = srv.Serve(ln) }()
	return func() { _ = srv.Close() }
}

// check is what rot says of each client.
func (s scene) check(t *testing.T, dir string, env []string) map[string]bool {
	said, _ := runIn(t.Context(), filepath.Join(dir, "p"), env, filepath.Join(bin, "rot"), "npmrc", "ci", "--check", "--json")
	var answer struct {
		Clients []struct {
			Client string
			OK     bool
		}
	}
	if err := json.Unmarshal([]byte(said), &answer); err != nil || len(answer.Clients) == 0 {
		t.Errorf("%s: rot npmrc --check: %v: %s", s.name, err, said)
	}
	says := map[string]bool{}
	for _, c := range answer.Clients {
		says[c.Client] = c.OK
	}
	return says
}
