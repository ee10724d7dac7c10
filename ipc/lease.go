package ipc

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"rotd/ipc/json"
)

// Lease is an answer to GET PathToken?lease=1 whose connection is open still.
// It ends with the last process that holds it, or with rotd.
type Lease struct {
	a  *answer
	fd uintptr
}

// Lease makes the request and decodes the first line of the answer into out. The
// connection must be a file, as that to Socket is. A rotd that knows nothing of
// leases answers, too: out tells.
func (c *Client) Lease(ctx context.Context, path string, out any) (*Lease, error) {
	a, err := c.send(ctx, c.deadline(), "GET", path, nil)
	if err != nil {
		return nil, err
	}
	line, err := a.line()
	if err == nil {
		err = json.Unmarshal([]byte(line), out)
	}
	if err != nil {
		a.close()
		return nil, a.fault(err)
	}
	a.unhook()
	a.limit(time.Time{})
	return &Lease{a, a.conn.(interface{ Fd() uintptr }).Fd()}, nil
}

// Inherit has the processes that are started from now on hold the lease, too.
func (l *Lease) Inherit() { _, _ = unix.FcntlInt(l.fd, unix.F_SETFD, 0) }

// Wait returns when the lease has ended.
func (l *Lease) Wait() {
	for err := error(nil); err == nil; {
		_, err = l.a.r.ReadByte()
	}
}

// End ends it, also for those who have inherited it, while another goroutine may
// Wait.
func (l *Lease) End() { _ = unix.Shutdown(int(l.fd), unix.SHUT_RDWR) }

// Close forgets a lease that has ended.
func (l *Lease) Close() { l.a.close() }
