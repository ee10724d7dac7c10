// Package yarnrc sets the token of one registry in a .yarnrc.yml of Yarn 2 and
// later, and leaves every other byte alone.
//
// The token goes under npmRegistries, below the registry's address without its
// scheme: Yarn sends it nowhere else, whichever registry a project names. Such an
// entry takes the place of what the file says for all registries, npmAlwaysAuth
// included (client-facts 3.2).
//
// A parser of YAML finds the lines and checks what the edit came to; files in
// other forms than Yarn writes, with {flow} mappings, say, are refused.
package yarnrc

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"rotd/helper/npmrc"
	"rotd/ipc/secret"
)

const (
	registriesSetting = "npmRegistries"
	tokenSetting      = "npmAuthToken"
)

// ErrForm says that a file is no .yarnrc.yml, or is written in a way that is not
// edited here.
var ErrForm = errors.New("it is not written as Yarn writes it")

// Key is the name of a registry's entry: //host[:port]/path.
func Key(registry string) (string, error) {
	key, err := npmrc.Key(registry)
	return strings.TrimSuffix(key, "/:_authToken"), err
}

// Update sets the token of a registry in the file at path, with the care of
// npmrc.Update. Beside its errors there is ErrForm.
func Update(path, registry string, value secret.Text) (npmrc.Report, error) {
	return npmrc.Change(path, func(src []byte) ([]byte, npmrc.Report, error) { return Edit(src, registry, value) })
}

// Remove takes the token out again, and the entry with it where nothing else is
// in it. A file in which nothing is left is removed.
func Remove(path, registry string) (npmrc.Report, error) {
	return npmrc.Change(path, func(src []byte) ([]byte, npmrc.Report, error) { return Cut(src, registry) })
}

// Edit returns src with the token set to value. One that is taken from the
// environment is an *npmrc.PlaceholderError.
func Edit(src []byte, registry string, value secret.Text) ([]byte, npmrc.Report, error) {
	f, rep, err := read(src, registry)
	if err == nil && !plain.MatchString(value.Reveal()) {
		err = npmrc.ErrValue
	}
	if err != nil || f.entry[tokenSetting] == value.Reveal() {
		return src, rep, err
	}
	rep.Line, rep.Changed, rep.Added = f.put(`"`+value.Reveal()+`"`), true, f.tokenLine == 0
	if f.settings == nil {
		f.settings = map[string]any{}
	}
	if f.registries == nil {
		f.registries = map[string]any{}
	}
	if f.entry == nil {
		f.entry = map[string]any{}
	}
	f.entry[tokenSetting] = value.Reveal()
	f.registries[f.key] = f.entry
	f.settings[registriesSetting] = f.registries
	out, err := f.text()
	return out, rep, err
}

// Cut returns src without the token, with the errors of Edit.
func Cut(src []byte, registry string) ([]byte, npmrc.Report, error) {
	f, rep, err := read(src, registry)
	if err != nil || f.tokenLine == 0 {
		return src, rep, err
	}
	rep.Changed = true
	gone := []int{f.tokenLine}
	if delete(f.entry, tokenSetting); len(f.entry) == 0 {
		gone = append(gone, f.entryLine)
		if delete(f.registries, f.key); len(f.registries) == 0 {
			gone = append(gone, f.registriesLine)
			delete(f.settings, registriesSetting)
		}
	}
	for _, line := range gone { // the lower ones first
		f.lines = slices.Delete(f.lines, line-1, line)
	}
	out, err := f.text()
	return out, rep, err
}

// plain is a value that needs no escaping in quotes.
var plain = regexp.MustCompile(`^[!#-\[\]-z|~]+$`)

// file is a .yarnrc.yml, as far as one registry is concerned. Lines are counted
// from 1; 0 is one that is not there.
type file struct {
	lines []string // with their ends
	eol   string
	// What the file sets; nil where there is none.
	settings, registries, entry map[string]any

	key string // of the entry, as it is spelled

	registriesLine, entryLine, tokenLine int
	// The first line below each of the first two.
	firstEntry, firstOfEntry int
}

// read finds the registry's entry, by its key or by that with a scheme. The
// report has the key, and the line of the token.
func read(src []byte, registry string) (f *file, rep npmrc.Report, err error) {
	f = &file{lines: slices.Collect(strings.Lines(string(src))), eol: "\n"}
	if f.key, err = Key(registry); err != nil {
		return f, rep, err
	}
	if len(f.lines) > 0 && strings.HasSuffix(f.lines[0], "\r\n") {
		f.eol = "\r\n"
	}
	rep.Key = f.key + " " + tokenSetting
	parsed, err := parser.ParseBytes(src, 0)
	if err == nil {
		err = yaml.Unmarshal(src, &f.settings)
	}
	if err != nil || len(parsed.Docs) > 1 || strings.Contains(strings.ReplaceAll(string(src), "\r\n", ""), "\r") {
		return f, rep, ErrForm // the parser's words quote the file
	}
	if len(parsed.Docs) == 1 {
		err = f.find(parsed.Docs[0].Body, registry)
	}
	if max(f.registriesLine, f.entryLine, f.tokenLine, f.firstEntry, f.firstOfEntry) > len(f.lines) {
		err = ErrForm // the parser counts others
	}
	rep.Line = f.tokenLine
	if had, _ := f.entry[tokenSetting].(string); err == nil && strings.Contains(had, "${") {
		err = &npmrc.PlaceholderError{Key: rep.Key, Line: f.tokenLine, Placeholder: npmrc.Placeholder(had)}
	}
	return f, rep, err
}

// find finds the lines. Yarn looks for the registry's address first, and then for
// that without its scheme.
func (f *file) find(root ast.Node, registry string) error {
	at, _, err := pair(root, func(k string) bool { return k == registriesSetting })
	if err != nil || at == nil {
		return err
	}
	f.registriesLine = lineOf(at)
	f.registries, _ = f.settings[registriesSetting].(map[string]any)
	registries := at.Value
	for _, want := range []string{strings.TrimRight(registry, "/"), f.key} {
		at, f.firstEntry, err = pair(registries, func(k string) bool { return strings.TrimRight(k, "/") == want })
		if err != nil || at != nil {
			break
		}
	}
	if err != nil || at == nil {
		return err
	}
	f.key = at.Key.GetToken().Value
	f.entryLine = lineOf(at)
	f.entry, _ = f.registries[f.key].(map[string]any)
	at, f.firstOfEntry, err = pair(at.Value, func(k string) bool { return k == tokenSetting })
	if err == nil && at != nil {
		f.tokenLine = lineOf(at)
	}
	return err
}

// pair finds a key in a block mapping, which may be empty, and tells where that
// begins.
func pair(node ast.Node, fits func(key string) bool) (at *ast.MappingValueNode, first int, err error) {
	var pairs []*ast.MappingValueNode
	switch n := node.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	case *ast.MappingNode:
		if n.IsFlowStyle {
			return nil, 0, ErrForm
		}
		pairs = n.Values
	default:
		return nil, 0, ErrForm
	}
	for _, p := range pairs {
		if first == 0 {
			first = lineOf(p)
		}
		if fits(p.Key.GetToken().Value) {
			at = p
		}
	}
	return at, first, nil
}

func lineOf(p *ast.MappingValueNode) int { return p.Key.GetToken().Position.Line }

// tokenLine is a line that sets the token, in three: up to the value, that, and
// the rest of the line.
var tokenLine = regexp.MustCompile(`^([ \t]*["']?npmAuthToken["']?[ \t]*:)([ \t]+(?:"[^"\\]*"|'[^']*'|[^\s#"'|>&*!{\[][^\r\n]*?))?((?:[ \t]+(?:#.*)?)?\r?\n?)$`)

// put writes the token's line, and returns its number.
func (f *file) put(value string) int {
	add := func(after int, lines ...string) int {
		if after > 0 && !strings.HasSuffix(f.lines[after-1], "\n") {
			f.lines[after-1] += f.eol
		}
		for i := range lines {
			lines[i] += f.eol
		}
		f.lines = slices.Insert(f.lines, after, lines...)
		return after + len(lines)
	}
	switch token := tokenSetting + ": " + value; {
	case f.tokenLine > 0:
		f.lines[f.tokenLine-1] = tokenLine.ReplaceAllString(f.lines[f.tokenLine-1], "${1} "+strings.ReplaceAll(value, "$", "$$")+"$3")
		return f.tokenLine
	case f.entryLine > 0:
		return add(f.entryLine, f.indent(f.entryLine, f.firstOfEntry)+token)
	case f.registriesLine > 0:
		in := f.indent(f.registriesLine, f.firstEntry)
		return add(f.registriesLine, fmt.Sprintf("%s%q:", in, f.key), in+"  "+token)
	default:
		return add(len(f.lines), registriesSetting+":", fmt.Sprintf("  %q:", f.key), "    "+token)
	}
}

// indent is that of the lines below a line: of the first of them, if there is one.
func (f *file) indent(line, first int) string {
	more := "  "
	if first > 0 {
		line, more = first, ""
	}
	text := f.lines[line-1]
	return text[:len(text)-len(strings.TrimLeft(text, " "))] + more
}

// text is the file as it is now, if it says what it is to say and nothing else.
func (f *file) text() ([]byte, error) {
	out := []byte(strings.Join(f.lines, ""))
	var said map[string]any
	err := yaml.Unmarshal(out, &said)
	if err != nil || len(said)+len(f.settings) > 0 && !reflect.DeepEqual(said, f.settings) {
		return nil, ErrForm
	}
	return out, nil
}
