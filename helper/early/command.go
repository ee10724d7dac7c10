//go:build linux && (amd64 || arm64)

package early

import "unsafe"

// text is the i-th of the texts that stack has the addresses of, and whether there
// is one.
//
//go:nosplit
//go:norace
func text(i int) (s string, ok bool) {
	p := *(**byte)(unsafe.Add(unsafe.Pointer(stack), (1+i)*int(unsafe.Sizeof(stack))))
	if p == nil {
		return "", false
	}
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(p), n)) != 0 {
		n++
	}
	return unsafe.String(p, n), true
}

// asked is REF of a command line that is rot get REF and no more, or that of a link
// of pnpm's, without its scheme, and what is to stand before the value; "" of any
// other.
//
//go:nosplit
//go:norace
func asked() (ref, prefix string) {
	program, _ := text(0)
	for i := 0; i < len(program); i++ {
		if program[i] == '/' {
			program, i = program[i+1:], -1
		}
	}
	switch ref = without(program, LinkPrefix); {
	case *stack == 1 && len(ref) < len(program):
		prefix = "Bearer "
	case *stack != 3 || program != "rot":
		return "", ""
	default:
		if command, _ := text(1); command != "get" {
			return "", ""
		}
		ref, _ = text(2)
	}
	if bare := without(ref, "rot://"); len(bare) < len(ref) {
		ref = bare
	} else {
		ref = without(ref, "dotenvx://")
	}
	for i := 0; i < len(ref); i++ {
		if !isPlain(ref[i]) {
			return "", ""
		}
	}
	if ref == "" || ref[0] == '-' {
		return "", ""
	}
	return ref, prefix
}

// without is s without what it begins with.
//
//go:nosplit
//go:norace
func without(s, prefix string) string {
	if len(s) >= len(prefix) && s[:len(prefix)] == prefix {
		return s[len(prefix):]
	}
	return s
}

// isPlain tells what stands for itself in a path of the API.
//
//go:nosplit
//go:norace
func isPlain(c byte) bool {
	return isWord(c) || c == '-' || c == '~'
}

// isWord tells what access tokens consist of.
//
//go:nosplit
//go:norace
func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// variable is an environment variable, "" where it is not set. Of two the first
// counts, as it does for os.Getenv.
//
//go:nosplit
//go:norace
func variable(name string) string {
	for i := int(*stack) + 1; ; i++ {
		entry, ok := text(i)
		if !ok {
			return ""
		}
		if n := len(name); len(entry) > n && entry[n] == '=' && entry[:n] == name {
			return entry[n+1:]
		}
	}
}
