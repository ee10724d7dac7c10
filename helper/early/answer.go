//go:build linux && (amd64 || arm64)

package early

// served is the value in rotd's answer. It is "" where the answer is not all there
// yet, is none with a value, has one that has expired by now (in seconds since 1970),
// or is put in another way than rotd does nearly always.
//
//go:nosplit
//go:norace
func served(answer string, now int64) string {
	const ok = "HTTP/1.0 200 "
	if len(answer) < len(ok) || answer[:len(ok)] != ok {
		return ""
	}
	body, length := 0, -1
	for {
		end := lineEnd(answer, body)
		if end < 0 {
			return ""
		}
		line := answer[body:end]
		body = end + 2
		if line == "" {
			break
		}
		if n := without(line, "Content-Length: "); len(n) < len(line) {
			length = number(n)
		}
	}
	if length != len(answer)-body {
		return ""
	}
	if expires := field(answer[body:], "expires"); expires != "" && now >= instant(expires) {
		return ""
	}
	return field(answer[body:], "value")
}

// lineEnd is where the line that begins at from ends with CR LF, -1: nowhere, or in
// another way.
//
//go:nosplit
//go:norace
func lineEnd(text string, from int) int {
	for i := from; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\r' && at(text, i+1) == '\n':
			return i
		case c < ' ' || c > '~':
			return -1
		}
	}
	return -1
}

// number is a decimal number of few digits, and nothing else; -1: s is none.
//
//go:nosplit
//go:norace
func number(s string) int {
	if len(s) < 1 || len(s) > 4 {
		return -1
	}
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
		n = n*10 + int(s[i]-'0')
	}
	return n
}

// field is the text that a JSON object has under a name. It is "" where there is none,
// and in an object of which anything is not as in rotd's answer:
// {"name":"text","name":number,…}, names of small letters, printable ASCII without
// escapes and spaces, and a line end.
//
//go:nosplit
//go:norace
func field(object, name string) (text string) {
	i := 0
	for sep := byte('{'); at(object, i) == sep; sep = ',' {
		key := quoted(object, i+1)
		if key < 0 || at(object, key) != ':' || !isName(object[i+2:key-1]) {
			return ""
		}
		value := key + 1
		end := quoted(object, value)
		switch member := object[i+2 : key-1]; {
		case end >= 0 && member == name:
			text = object[value+1 : end-1]
		case end < 0 && member != "value" && member != "expires":
			end = word(object, value)
		}
		if end < 0 {
			return ""
		}
		i = end
	}
	if i == 0 || at(object, i) != '}' || i+1 != len(object) && object[i+1:] != "\n" {
		return ""
	}
	return text
}

// isName tells what the names of rotd's messages consist of.
//
//go:nosplit
//go:norace
func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		if (s[i] < 'a' || s[i] > 'z') && s[i] != '_' {
			return false
		}
	}
	return true
}

// at is s[i], 0 behind the end.
//
//go:nosplit
//go:norace
func at(s string, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0
}

// quoted is the end of the quoted text that begins at i, -1: there is none.
//
//go:nosplit
//go:norace
func quoted(s string, i int) int {
	if at(s, i) != '"' {
		return -1
	}
	for i++; ; i++ {
		switch c := at(s, i); {
		case c == '"':
			return i + 1
		case c < ' ' || c > '~' || c == '\\':
			return -1
		}
	}
}

// word is the end of the small number, true or false that begins at i, -1: there is
// none.
//
//go:nosplit
//go:norace
func word(s string, i int) int {
	end := i
	for c := at(s, end); 'a' <= c && c <= 'z' || '0' <= c && c <= '9'; c = at(s, end) {
		end++
	}
	if w := s[i:end]; w == "true" || w == "false" || number(w) > 0 && w[0] != '0' {
		return end
	}
	return -1
}

// instant is a time like 2027-02-28T16:09:26.224Z in seconds since 1970; 0, which is
// past, where s is no such time.
//
//go:nosplit
//go:norace
func instant(s string) int64 {
	const shape = "0000-00-00T00:00:00"
	if len(s) <= len(shape) || s[len(s)-1] != 'Z' || s[len(shape)] != 'Z' && s[len(shape)] != '.' {
		return 0
	}
	for i := 0; i < len(shape); i++ {
		if shape[i] != s[i] && (shape[i] != '0' || s[i] < '0' || s[i] > '9') {
			return 0
		}
	}
	year, month, day := int64(number(s[:4])), int64(number(s[5:7])), int64(number(s[8:10]))
	clock := int64(number(s[11:13])*3600 + number(s[14:16])*60 + number(s[17:19]))
	if year < 1970 || month < 1 || month > 12 {
		return 0
	}
	// The days since a March 1st are a sum of months of 30.6 days.
	if month <= 2 {
		year, month = year-1, month+12
	}
	days := year*365 + year/4 - year/100 + year/400 + (month*306-914)/10 + day - 719469
	return days*86400 + clock
}
