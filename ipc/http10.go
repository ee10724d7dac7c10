package ipc

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"syscall"
	"time"

	"rotd/ipc/fmt"
	"rotd/ipc/json"
)

// answer is rotd's answer with its head read and found to be a success.
type answer struct {
	ctx    context.Context
	socket string
	conn   io.ReadWriteCloser
	r      *bufio.Reader
	length int64 // of the body; -1: to the end of the connection
	unhook func() bool
}

// send makes the request and reads the head of the answer. An answer that is
// no success is returned as the *Error in its body. The deadline is for all of the
// answer; zero: it has none.
func (c *Client) send(ctx context.Context, deadline time.Time, method, path string, in any) (*answer, error) {
	request, err := c.request(method, path, in)
	if err != nil {
		return nil, err
	}
	connect := c.Dial
	if connect == nil {
		connect = dial
	}
	conn, err := connect(ctx, c.Socket)
	if err != nil {
		return nil, err
	}
	a := &answer{ctx: ctx, socket: c.Socket, conn: conn, r: bufio.NewReader(conn)}
	a.limit(deadline)
	a.unhook = context.AfterFunc(ctx, func() { _ = conn.Close() })
	// A daemon that refuses early has answered before it has read everything,
	// so the answer counts even where the request did not get through.
	_, werr := conn.Write(request)
	status, err := a.head()
	if err != nil {
		if errors.Is(err, errCutOff) && werr != nil {
			err = werr
		}
		a.close()
		return nil, a.fault(err)
	}
	if status < 200 || status > 299 {
		defer a.close()
		return nil, a.refusal(status)
	}
	return a, nil
}

func (c *Client) request(method, path string, in any) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.0\r\nHost: rotd\r\nUser-Agent: rot/%s\r\n", method, path, BuildVersion)
	if !c.AccessToken.IsZero() {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", c.AccessToken.Reveal())
	}
	if in == nil {
		b.WriteString("\r\n")
		return b.Bytes(), nil
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
	b.Write(body)
	return b.Bytes(), nil
}

// head reads the status line and the header.
func (a *answer) head() (status int, err error) {
	line, err := a.line()
	if err != nil {
		return 0, err
	}
	version, rest, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err = strconv.Atoi(code)
	if !strings.HasPrefix(version, "HTTP/1.") || err != nil || len(code) != 3 {
		return 0, errors.New("it is not HTTP")
	}
	a.length = -1
	for range 100 {
		line, err := a.line()
		if err != nil {
			return 0, err
		}
		if line == "" {
			return status, nil
		}
		if err := a.headerLine(line); err != nil {
			return 0, err
		}
	}
	return 0, errors.New("its header has no end")
}

func (a *answer) headerLine(line string) error {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return errors.New("it is not HTTP")
	}
	switch strings.ToLower(name) {
	case "content-length":
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		if err != nil || n < 0 || n > maxBody {
			return errors.New("it names a length that no answer of rotd has")
		}
		a.length = n
	case "transfer-encoding":
		return errors.New("it is encoded in a way that HTTP/1.0 does not have")
	}
	return nil
}

// line reads one line of the head, without its end.
func (a *answer) line() (string, error) {
	b, err := a.r.ReadSlice('\n') // at most the reader's buffer, 4 KiB
	switch {
	case err == nil:
		return strings.TrimRight(string(b), "\r\n"), nil
	case errors.Is(err, io.EOF):
		return "", errCutOff
	case errors.Is(err, bufio.ErrBufferFull):
		return "", errors.New("it is not HTTP")
	default:
		return "", err
	}
}

// body reads the whole body.
func (a *answer) body() ([]byte, error) {
	if a.length >= 0 {
		b := make([]byte, a.length)
		if _, err := io.ReadFull(a.r, b); err != nil {
			if errors.Is(err, io.EOF) {
				err = errCutOff
			}
			return nil, err
		}
		return b, nil
	}
	b, err := io.ReadAll(io.LimitReader(a.r, maxBody+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxBody {
		return nil, errors.New("it is longer than any of rotd's")
	}
	return b, nil
}

// refusal reads the error that rotd sent.
func (a *answer) refusal(status int) error {
	body, err := a.body()
	if err != nil {
		return a.fault(err)
	}
	var eb ErrorBody
	if err := json.Unmarshal(body, &eb); err != nil || eb.Error == nil || eb.Error.Code == "" {
		return a.fault(fmt.Errorf("status %d without an error of rotd's", status))
	}
	return eb.Error
}

// fault is err, seen while the answer was read, as the caller gets it.
func (a *answer) fault(err error) error {
	if a.ctx.Err() != nil {
		return context.Cause(a.ctx)
	}
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errCutOff
	}
	return &ProtocolError{Socket: a.socket, Cause: err}
}

// limit sets the time at which what is left of the answer has to be there. It is
// the connection's, as a context's would start the runtime's timers, for a tenth
// of the time that rot get takes.
func (a *answer) limit(deadline time.Time) {
	if d, ok := a.conn.(interface{ SetDeadline(time.Time) error }); ok {
		_ = d.SetDeadline(deadline)
	}
}

func (a *answer) close() {
	a.unhook()
	_ = a.conn.Close()
}
