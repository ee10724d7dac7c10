package private

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const stranger = 65534

// tree makes a directory of ours, with "home/dir" and "home/file" in it.
func tree(t *testing.T) (home string) {
	t.Helper()
	home = filepath.Join(t.TempDir(), "home")
	for _, dir := range []string{home, filepath.Join(home, "dir")} {
		do(t, os.Mkdir(dir, 0o700))
	}
	do(t, os.WriteFile(filepath.Join(home, "file"), nil, 0o600))
	return home
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func hintOf(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Hint()
}

// saysSo tells whether err has the text and the hint; without a text: whether
// there is none.
func saysSo(err error, text, hint string) bool {
	if text == "" || err == nil {
		return text == "" && err == nil
	}
	return strings.Contains(err.Error(), text) && strings.Contains(hintOf(err), hint)
}

func TestDirectories(t *testing.T) {
	for _, c := range []struct {
		name   string
		root   bool // root alone can make it so
		spoil  func(home string) error
		denied fs.FileMode
		want   string // in the error, and
		hint   string // in its hint, where % is home
	}{
		{name: "as it should be", denied: Closed},
		{"readable", false, func(home string) error { return os.Chmod(home+"/dir", 0o750) }, Closed, "mode 0750: others may look into it", "chmod 700 %/dir"},
		{"writable", false, func(home string) error { return os.Chmod(home+"/dir", 0o770) }, Closed, "mode 0770: others may write to it", "chmod 700 %/dir"},
		{"readable, and that is fine", false, func(home string) error { return os.Chmod(home+"/dir", 0o750) }, Listed, "", ""},
		{"writable and listed", false, func(home string) error { return os.Chmod(home+"/dir", 0o702) }, Listed, "others may write", "chmod go-w %/dir"},
		{"its parent is writable", false, func(home string) error { return os.Chmod(home, 0o707) }, Closed, "on the way (mode 0707)", "chmod go-w %"},
		{"its parent is sticky", false, func(home string) error { return os.Chmod(home, 0o777|fs.ModeSticky) }, Closed, "", ""},
		{"no directory", false, func(home string) error {
			return errors.Join(os.Remove(home+"/dir"), os.WriteFile(home+"/dir", nil, 0o600))
		}, Closed, "not a directory", "move it away"},
		{"a link of ours", false, func(home string) error {
			return errors.Join(os.Rename(home+"/dir", home+"/real"), os.Symlink("./../home/real", home+"/dir"))
		}, Closed, "", ""},
		{"a link of ours to where others write", false, func(home string) error {
			return errors.Join(os.Mkdir(home+"/open", 0o700), os.Chmod(home+"/open", 0o777),
				os.Rename(home+"/dir", home+"/open/real"), os.Symlink(home+"/open/real", home+"/dir"))
		}, Closed, "on the way", "chmod go-w %/open"},
		{"a circle", false, func(home string) error {
			return errors.Join(os.Remove(home+"/dir"), os.Symlink("dir", home+"/dir"))
		}, Closed, "too many levels", ""},
		{"somebody else's", true, func(home string) error { return os.Chown(home+"/dir", stranger, stranger) }, Closed, "another user (uid 65534)", "chown 0 %/dir"},
		{"in somebody else's", true, func(home string) error { return os.Chown(home, stranger, stranger) }, Closed, "on the way belongs to another user", "choose"},
		{"somebody else's link", true, func(home string) error {
			return errors.Join(os.Rename(home+"/dir", home+"/real"), os.Symlink("real", home+"/dir"), os.Lchown(home+"/dir", stranger, stranger))
		}, Closed, "link", "rm %/dir"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.root && os.Geteuid() != 0 {
				t.Skip("only root can give a file away")
			}
			home := tree(t)
			if c.spoil != nil {
				do(t, c.spoil(home))
			}
			for call, err := range map[string]error{
				"Dir":  Dir("the place", home+"/dir", c.denied),
				"Make": Make("the place", home+"/dir", c.denied),
			} {
				ok := saysSo(err, c.want, strings.ReplaceAll(c.hint, "%", home))
				if !ok {
					t.Errorf("%s: %v (hint %q), want %q (%q)", call, err, hintOf(err), c.want, c.hint)
				}
			}
		})
	}
}

func TestMakeMakesNothingOnABadWay(t *testing.T) {
	home := tree(t)
	do(t, os.Chmod(home, 0o777))
	if err := Make("the place", home+"/a/b", Closed); hintOf(err) != "chmod go-w "+home {
		t.Errorf("Make: %v (hint %q)", err, hintOf(err))
	}
	if _, err := os.Lstat(home + "/a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was made: %v", err)
	}
	do(t, os.Chmod(home, 0o700))
	if err := Make("the place", home+"/a/b", Closed); err != nil {
		t.Error(err)
	}
}

func TestSources(t *testing.T) {
	for name, c := range map[string]struct {
		mode, dir fs.FileMode
		want      string
	}{
		"ours":                  {0o644, 0o755, ""},
		"others may change it":  {0o666, 0o755, "others may write to the settings"},
		"others may replace it": {0o644, 0o777, "others may write to"},
	} {
		home := tree(t)
		file := filepath.Join(home, "file")
		do(t, os.Chmod(file, c.mode))
		do(t, os.Chmod(home, c.dir))
		info, err := os.Stat(file)
		do(t, err)
		if err := Source("the settings", file, info); !saysSo(err, c.want, "chmod go-w") {
			t.Errorf("%s: %v (hint %q)", name, err, hintOf(err))
		}
	}
}

func TestFiles(t *testing.T) {
	for _, c := range []struct {
		name  string
		root  bool
		spoil func(file string) error
		want  string
		hint  string
	}{
		{name: "as it should be"},
		{"readable", false, func(file string) error { return os.Chmod(file, 0o640) }, "mode 0640", "chmod 600 "},
		{"with another name", false, func(file string) error { return os.Link(file, file+"2") }, "2 names", "find / -xdev -inum "},
		{"a link", false, func(file string) error { return errors.Join(os.Rename(file, file+"2"), os.Symlink(file+"2", file)) }, "not a regular file", "move"},
		{"somebody else's", true, func(file string) error { return os.Chown(file, stranger, stranger) }, "uid 65534", "chown 0 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.root && os.Geteuid() != 0 {
				t.Skip("only root can give a file away")
			}
			file := filepath.Join(tree(t), "file")
			if c.spoil != nil {
				do(t, c.spoil(file))
			}
			info, err := os.Lstat(file)
			do(t, err)
			if err := File("the thing", file, info); !saysSo(err, c.want, c.hint) {
				t.Errorf("%v (hint %q), want %q (%q)", err, hintOf(err), c.want, c.hint)
			}
		})
	}
}
