package main

import (
	"bytes"
	"debug/elf"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// config is what nfpm reads.
func (b *build) config() ([]byte, error) {
	libc, err := neededLibc(filepath.Join(b.bin, "rotd"))
	if err != nil {
		return nil, err
	}
	var w bytes.Buffer
	fmt.Fprintf(&w, `name: rotd
arch: %s
platform: linux
version: %q
version_schema: none
section: utils
priority: optional
maintainer: The rotd authors <rotd@localhost>
description: |
  npm tokens that rotate, behind references that do not
  rotd connects your npm account once, and from then on rotates its tokens by
  itself. Pipelines and .npmrc files ask rot for the one that is valid now.
license: MIT
mtime: %s
recommends: [chromium]
scripts:
  postinstall: packaging/scripts/postinstall.sh
  preremove: packaging/scripts/preremove.sh
  postremove: packaging/scripts/postremove.sh
overrides:
  deb:
    depends: ["libc6 (>= %[4]s)"]
  rpm:
    depends: ["glibc >= %[4]s"]
rpm:
  buildhost: localhost
contents:
`, arch, packageVersion(b.version), b.time.Format(time.RFC3339), libc)
	// The place of rotd.conf, which whoever administers the machine may write.
	fmt.Fprintf(&w, "  - {dst: /etc/rotd, type: dir, file_info: {mode: 0755, mtime: %s}}\n", b.time.Format(time.RFC3339))
	for _, f := range b.files {
		fmt.Fprintf(&w, "  - {src: %q, dst: %q, file_info: {mode: 0%o, mtime: %s}", f.src, f.dst, f.mode, b.time.Format(time.RFC3339))
		if f.only != "" {
			fmt.Fprintf(&w, ", packager: %s", f.only)
		}
		w.WriteString("}\n")
	}
	return w.Bytes(), nil
}

// described is what git describe says of a commit after a tag.
var described = regexp.MustCompile(`^v?(\d+(?:\.\d+)*)(?:-(\d+)-(g[0-9a-f]+))?(-dirty)?$`)

// packageVersion makes a version that package managers order right of what git
// describe says: v1.2.0 is 1.2.0, v1.2.0-3-gabc is newer, 1.2.0+3.gabc. Without
// a tag it is older than every one that will be.
func packageVersion(v string) string {
	m := described.FindStringSubmatch(v)
	if m == nil {
		return "0.0.0+" + strings.ReplaceAll(v, "-", ".")
	}
	out := m[1]
	if m[2] != "" {
		out += "+" + m[2] + "." + m[3]
	}
	if m[4] != "" {
		out += "+dirty"
	}
	return out
}

// neededLibc is the oldest C library that has all that a program asks of it.
func neededLibc(program string) (string, error) {
	f, err := elf.Open(program)
	if err != nil {
		return "", err
	}
	defer f.Close()
	symbols, err := f.ImportedSymbols()
	if err != nil {
		return "", fmt.Errorf("%s: %w", program, err)
	}
	minor := -1
	for _, s := range symbols {
		if rest, ok := strings.CutPrefix(s.Version, "GLIBC_2."); ok {
			rest, _, _ = strings.Cut(rest, ".")
			if n, err := strconv.Atoi(rest); err == nil {
				minor = max(minor, n)
			}
		}
	}
	if minor < 0 {
		return "", fmt.Errorf("%s asks nothing of a C library", program)
	}
	return fmt.Sprintf("2.%d", minor), nil
}
