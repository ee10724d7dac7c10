package sandbox

import (
	"fmt"
	"hash/fnv"
	"html"
	"html/template"
	"io/fs"
	"regexp"
	"strings"
)

// A page can be made to look other than npm's while it works the same: its
// words are changed in the templates, before what is written into them; ids,
// classes and field names in the finished page, each label still at its field.

// parsePages reads the pages, their words as they stand or changed.
func parsePages(words func(string) string) *template.Template {
	all := template.New("pages").Funcs(template.FuncMap{"picker": picker})
	files, err := fs.Glob(pageFiles, "pages/*.html")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, file := range files {
		b, err := pageFiles.ReadFile(file)
		if err != nil {
			panic(err) // it is embedded
		}
		template.Must(all.New(strings.TrimPrefix(file, "pages/")).Parse(words(string(b))))
	}
	return all
}

var (
	// actionOrTag finds what is no text: template actions, scripts and tags.
	actionOrTag = regexp.MustCompile(`(?s)\{\{.*?\}\}|<script.*?</script>|<(?:\{\{.*?\}\}|"(?:\{\{.*?\}\}|[^"])*"|[^>"])*>`)
	action      = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	// spoken are the attributes that a person sees or hears.
	spoken = regexp.MustCompile(`(aria-label|title|placeholder|data-say-[a-z]+)="((?:\{\{.*?\}\}|[^"])*)"`)
	tag    = regexp.MustCompile(`<[a-z][^>]*>`)
	// pointing are the attributes whose values are ids, or, of class, like them.
	pointing = regexp.MustCompile(` (id|for|form|class|aria-labelledby|aria-describedby|aria-controls)="([^"]*)"`)
	naming   = regexp.MustCompile(` name="([^"]*)"`)
)

// changeTemplate changes the words of a page's source.
func changeTemplate(source string) string {
	return around(actionOrTag, source, changeWords, func(kept string) string {
		if strings.HasPrefix(kept, "{{") || strings.HasPrefix(kept, "<script") {
			return kept
		}
		return spoken.ReplaceAllStringFunc(kept, func(attribute string) string {
			name, value, _ := strings.Cut(attribute, "=")
			return name + "=" + around(action, value, changeWords, func(a string) string { return a })
		})
	})
}

// around applies one function to what a pattern finds, another one to the rest.
func around(pattern *regexp.Regexp, text string, rest, found func(string) string) string {
	var b strings.Builder
	at := 0
	for _, m := range pattern.FindAllStringIndex(text, -1) {
		b.WriteString(rest(text[at:m[0]]))
		b.WriteString(found(text[m[0]:m[1]]))
		at = m[1]
	}
	b.WriteString(rest(text[at:]))
	return b.String()
}

// changeWords turns each letter into the one 13 places on, and the sign × into
// another one.
func changeWords(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z':
			return 'a' + (c-'a'+13)%26
		case c >= 'A' && c <= 'Z':
			return 'A' + (c-'A'+13)%26
		case c == '×':
			return '☓'
		}
		return c
	}, text)
}

// changedText is npm's text as this page says it.
func (s *Sandbox) changedText(text string) string {
	if s.switches.ChangedWords {
		return changeWords(text)
	}
	return text
}

func (s *Sandbox) changedTexts(texts map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range texts {
		out[k] = s.changedText(v)
	}
	return out
}

// distortion is what renames ids in one page; its script does the same with
// those that it makes.
type distortion struct {
	Salt  string `json:"salt"` // empty: no id is renamed, save for One
	One   string `json:"one"`
	Names bool   `json:"names"`
}

func (s *Sandbox) distortion() distortion {
	d := distortion{One: s.switches.RenamedID, Names: s.switches.RenamedNames}
	if s.switches.RenamedIDs {
		d.Salt = fmt.Sprintf("load %d ", s.pages)
	}
	return d
}

// renamed hashes as the pages' script does.
func renamed(prefix, text string) string {
	h := fnv.New32a()
	h.Write([]byte(text)) // never fails
	return fmt.Sprintf("%s%08x", prefix, h.Sum32())
}

func (d distortion) id(id string) string {
	switch {
	case id == "":
		return ""
	case d.Salt != "":
		return renamed("i", d.Salt+id)
	case id == d.One:
		return renamed("i", id)
	}
	return id
}

// apply renames in a finished page.
func (d distortion) apply(page string) string {
	if d == (distortion{}) {
		return page
	}
	return tag.ReplaceAllStringFunc(page, func(t string) string {
		t = pointing.ReplaceAllStringFunc(t, func(attribute string) string {
			m := pointing.FindStringSubmatch(attribute)
			value := html.UnescapeString(m[2])
			if m[1] == "id" || m[1] == "for" { // npm's ids may hold a space
				value = d.id(value)
			} else {
				parts := strings.Fields(value)
				for i := range parts {
					parts[i] = d.id(parts[i])
				}
				value = strings.Join(parts, " ")
			}
			return " " + m[1] + `="` + html.EscapeString(value) + `"`
		})
		if d.Names && strings.HasPrefix(t, "<input") && !strings.Contains(t, `type="hidden"`) {
			t = naming.ReplaceAllStringFunc(t, func(attribute string) string {
				return ` name="` + renamed("n", naming.FindStringSubmatch(attribute)[1]) + `"`
			})
		}
		return t
	})
}

// fieldName is the name under which npm knows a field of a native post.
func (s *Sandbox) fieldName(sent string) string {
	if s.switches.RenamedNames {
		for _, name := range []string{"username", "password", "otp", "escalated_password", "didOptForCooldown"} {
			if renamed("n", name) == sent {
				return name
			}
		}
	}
	return sent
}
