package helper

import (
	"os"
	"path/filepath"
	"testing"
)

func TestProjectConfig(t *testing.T) {
	top := t.TempDir()
	for file, text := range map[string]string{
		"list/package.json":               `{"name":"r","workspaces":["./packages/*","deep/**/","!x"],"other":{"a":[1,null]}}`,
		"list/packages/a/package.json":    "{}",
		"list/packages/a/src/x":           "",
		"list/deep/er/still/package.json": "{}",
		"list/outside/package.json":       "{}",
		"object/package.json":             `{"workspaces":{"packages":["a"],"nohoist":[]}}`,
		"object/a/package.json":           "{}",
		"broken/package.json":             `{"workspaces":`,
		"broken/a/package.json":           "{}",
		"modules/node_modules/x":          "",
		"modules/sub/x":                   "",
		"none/x":                          "",
	} {
		path := filepath.Join(top, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for dir, want := range map[string]string{
		"list": "list", "list/packages/a": "list", "list/packages/a/src": "list", "list/deep/er/still": "list", "list/outside": "list/outside",
		"list/packages": "list", "object/a": "object", "broken/a": "broken/a", "modules/sub": "modules", "none": "none",
	} {
		if got, ok := projectConfig(filepath.Join(top, dir)); !ok || got != filepath.Join(top, want, ".npmrc") {
			t.Errorf("%s: %q, %v", dir, got, ok)
		}
	}
	if got, ok := projectConfig(""); ok {
		t.Errorf("nowhere: %q", got)
	}
}
