package ipc

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	"rotd/ipc/fmt"
	"rotd/ipc/json"
	"rotd/ipc/secret"
)

// Client calls rotd's API: HTTP/1.0, one connection a call, so that an answer
// ends where the connection does and nothing of net/http is needed.
//
// Its methods return a *DialError when rotd is not reached, an *Error when rotd
// says no, a *ProtocolError when the answer is not rotd's, and the context's
// cause when that ends first.
type Client struct {
	Socket string
	// AccessToken, where there is one, is shown with every request. It is for
	// the caller to see that it is one word.
	AccessToken secret.Text
	// Dial replaces the connection to Socket, in tests and where there is one already.
	// It may be nil.
	Dial func(ctx context.Context, socket string) (io.ReadWriteCloser, error)
	// patience replaces answerTime, in tests.
	patience time.Duration
}

// ProtocolError says that what came back is not a whole answer of rotd's API.
type ProtocolError struct {
	Socket string
	Cause  error
}

func (e *ProtocolError) Error() string {
	switch {
	case errors.Is(e.Cause, errCutOff):
		return fmt.Sprintf("rotd behind %s hung up in the middle of its answer", e.Socket)
	case errors.Is(e.Cause, os.ErrDeadlineExceeded):
		return fmt.Sprintf("rotd behind %s did not answer in time", e.Socket)
	}
	return fmt.Sprintf("the answer from %s is not rotd's: %v", e.Socket, e.Cause)
}

func (e *ProtocolError) Unwrap() error { return e.Cause }

// Hint says what to do.
func (e *ProtocolError) Hint() string {
	if errors.Is(e.Cause, errCutOff) || errors.Is(e.Cause, os.ErrDeadlineExceeded) {
		return "see whether it still runs, and try again: rot status"
	}
	return "try again; if it stays so, see whether rot and rotd have one version: rot version"
}

var errCutOff = errors.New("cut off")

// An answer larger than these is not rotd's.
const (
	maxBody = 16 << 20
	maxLine = 1 << 20 // of a stream
)

// answerTime is how long rotd may take where it only has to look something up.
const answerTime = 30 * time.Second

// Path puts ref, without its scheme, in the place of {ref} or {id} in one of
// the Path constants.
func Path(pattern, ref string) string {
	before, rest, _ := strings.Cut(pattern, "{")
	_, after, _ := strings.Cut(rest, "}")
	return before + escape(ref) + after
}

// escape makes s one element of a path. Dots are escaped too, as the server
// would take "." and ".." out.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '~':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// Get decodes the answer to GET path into out.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	return c.once(ctx, "GET", path, nil, out)
}

// Post sends in as JSON and decodes the answer into out, where that is not nil.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	return c.once(ctx, "POST", path, in, out)
}

// Put is Post with the other verb.
func (c *Client) Put(ctx context.Context, path string, in, out any) error {
	return c.once(ctx, "PUT", path, in, out)
}

// Delete asks for DELETE path, and decodes the answer into out, where that is
// not nil.
func (c *Client) Delete(ctx context.Context, path string, out any) error {
	return c.once(ctx, "DELETE", path, nil, out)
}

// deadline is when an answer has to be there.
func (c *Client) deadline() time.Time { return time.Now().Add(cmp.Or(c.patience, answerTime)) }

func (c *Client) once(ctx context.Context, method, path string, in, out any) error {
	a, err := c.send(ctx, c.deadline(), method, path, in)
	if err != nil {
		return err
	}
	defer a.close()
	body, err := a.body()
	if err != nil {
		return a.fault(err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return a.fault(err)
	}
	return nil
}

// Stream posts in and yields rotd's events as they come. The last pair is
// either the event with the Result or an error; an event's Error is yielded as
// that, not as an event. Whoever stops early hangs up on rotd.
func (c *Client) Stream(ctx context.Context, path string, in any) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for line, err := range c.lines(ctx, "POST", path, in) {
			var ev Event
			if err == nil {
				ev, err = parseEvent(line)
				if err != nil {
					err = &ProtocolError{Socket: c.Socket, Cause: err}
				} else if ev.Error != nil {
					err = ev.Error
				}
			}
			if err != nil {
				yield(Event{}, err)
				return
			}
			if !yield(ev, nil) || ev.Result != nil {
				return
			}
		}
	}
}

// Lines yields the lines of the answer to GET path as they come; each is good
// until the next. The last pair is an error, also where rotd ends the answer.
func (c *Client) Lines(ctx context.Context, path string) iter.Seq2[[]byte, error] {
	return c.lines(ctx, "GET", path, nil)
}

func (c *Client) lines(ctx context.Context, method, path string, in any) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		a, err := c.send(ctx, time.Time{}, method, path, in)
		if err != nil {
			yield(nil, err)
			return
		}
		defer a.close()
		lines := bufio.NewScanner(a.r)
		lines.Buffer(nil, maxLine)
		for lines.Scan() {
			if !yield(lines.Bytes(), nil) {
				return
			}
		}
		err = lines.Err()
		if err == nil {
			err = errCutOff
		}
		yield(nil, a.fault(err))
	}
}

func parseEvent(line []byte) (Event, error) {
	var ev Event
	if err := json.Unmarshal(line, &ev); err != nil {
		return ev, err
	}
	if ev.Step == nil && ev.Question == nil && ev.Result == nil && ev.Error == nil {
		return ev, errors.New("an event that this rot does not know")
	}
	return ev, nil
}
