package ipc

import (
	"strconv"
	"time"

	"rotd/ipc/json"
)

// AppendJSON appends t, and its value, as JSON, as encoding/json does but for what is
// escaped for HTML. It is for whoever serves tens of thousands of values a second.
func (t Token) AppendJSON(b []byte) []byte {
	b = json.AppendString(append(b, `{"rot":`...), t.ROT)
	b = strconv.AppendInt(append(b, `,"generation":`...), int64(t.Generation), 10)
	b = json.AppendString(append(b, `,"value":`...), t.Value.Reveal())
	if t.Expires != nil {
		b = t.Expires.AppendFormat(append(b, `,"expires":"`...), time.RFC3339Nano)
		b = append(b, '"')
	}
	b = json.AppendString(append(b, `,"registry":`...), t.Registry)
	if t.DefaultRegistry {
		b = append(b, `,"default_registry":true`...)
	}
	if t.Lease {
		b = append(b, `,"lease":true`...)
	}
	return append(b, '}')
}
