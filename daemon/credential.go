package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"rotd/ipc/socket"
	"rotd/store"
)

// systemd takes credentials of units from a socket (systemd.exec, LoadCredential):
// it connects when the unit starts, from an abstract address that names the unit
// and the credential, and reads to the end.
//
//	LoadCredential=npm-token:/run/rotd/credential.sock
//
// Whoever has the address could have made it up: any process can bind one. So it
// counts only from a service manager that could read everything anyway, root's
// or the daemon's own user's. Others get nothing. There is no way to answer no:
// what is refused is an empty credential, and a line in the log.

// credentialTime is how long a unit's manager may take to read.
const credentialTime = 10 * time.Second

// openCredentials makes the socket for units, where there is to be one, and
// returns what begins to serve it: until the daemon stops. A unit whose
// credential has started the daemon waits until then.
func (d *Daemon) openCredentials(ctx context.Context) (serve func(), err error) {
	if d.cfg.CredentialSocket == "" {
		return func() {}, nil
	}
	ln, err := d.listenAt(ctx, d.cfg.CredentialSocket, socket.NoGroup)
	if err != nil {
		return nil, err
	}
	return func() {
		context.AfterFunc(d.stop, func() { _ = ln.Close() })
		d.work.Go(func() { d.serveCredentials(ln) })
	}, nil
}

// serveCredentials answers until ln is closed.
func (d *Daemon) serveCredentials(ln net.Listener) {
	for {
		c, err := ln.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of files, say
			d.cfg.Log.Warn("a unit's credential could not be served", "err", err)
			_ = sleep(d.stop, time.Second)
		default:
			d.work.Go(func() { d.serveCredential(c) })
		}
	}
}

func (d *Daemon) serveCredential(c net.Conn) {
	defer c.Close()
	ctx, cancel := context.WithTimeout(d.stop, credentialTime)
	defer cancel()
	_ = c.SetDeadline(time.Now().Add(credentialTime))
	p, known := socket.PeerOf(c)
	key := logKey{kind: store.LogRefused, uid: p.UID, known: known, detail: "credential socket"}
	unit, err := d.writeCredential(ctx, c, p, known, &key)
	if err != nil {
		d.cfg.Log.Warn("a credential is refused", "uid", p.UID, "unit", unit, "err", err)
	}
	d.book.add(key, d.cfg.Now(), 1)
}

// writeCredential writes the value that the unit at the other end may have, and
// makes key what the log is to say of it.
func (d *Daemon) writeCredential(ctx context.Context, c net.Conn, p socket.Peer, known bool, key *logKey) (unit string, err error) {
	if !known || !isOwner(p) {
		return "", errors.New("it is no service manager of root or of the user who runs rotd")
	}
	unit, name, ok := unitOf(c.RemoteAddr())
	if !ok {
		return "", errors.New("its address does not name a unit")
	}
	st := d.store.Load()
	if st == nil {
		return unit, errLocked
	}
	rots, err := st.ReadableBy(ctx, store.Subject{Kind: store.GrantUnit, Name: unit})
	if err != nil {
		return unit, err
	}
	var rot string
	switch {
	case len(rots) == 0:
		return unit, fmt.Errorf("it was granted nothing: rot grant REF --unit %s", unit)
	case len(rots) == 1:
		rot = rots[0].ID
	default:
		if rot, ok = store.Among(rots, name); !ok {
			return unit, fmt.Errorf("it was granted %d ROTs, and %q is none of them: LoadCredential=NAME:… takes the ROT's name", len(rots), name)
		}
	}
	g, value, err := st.Current(ctx, rot)
	if err != nil {
		return unit, err
	}
	if _, err := io.WriteString(c, value.Reveal()); err != nil {
		return unit, fmt.Errorf("write: %w", err)
	}
	key.kind, key.rot, key.generation, key.detail = store.LogRead, rot, g.N, "unit "+unit
	return unit, nil
}

// unitOf reads the address that systemd connects from: a NUL (@ in Go), a random
// number of 64 bits in hex, without leading zeros, /unit/, the unit, /, and the
// name of the credential.
func unitOf(addr net.Addr) (unit, name string, ok bool) {
	a, isUnix := addr.(*net.UnixAddr)
	if !isUnix {
		return "", "", false
	}
	part := strings.Split(a.Name, "/")
	if len(part) != 4 || part[1] != "unit" || !unitName.MatchString(part[2]) || part[3] == "" {
		return "", "", false
	}
	random, abstract := strings.CutPrefix(part[0], "@")
	if _, err := strconv.ParseUint(random, 16, 64); err != nil || !abstract {
		return "", "", false
	}
	return part[2], part[3], true
}
