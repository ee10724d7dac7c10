package helper

import (
	"context"
	"errors"
	"strconv"
	"time"

	"rotd/ipc"
)

// The pauses between two tries to find rotd again.
const firstReturn, lastReturn = 50 * time.Millisecond, 2 * time.Second

// tokenFor is token for a command that runs with the value: rotd keeps that alive
// until release is called or, should rot be killed, until the command and what it
// has started have ended. A rotd that is restarted is told again.
func (c *call) tokenFor(ctx context.Context, ref string) (tok ipc.Token, release func(), err error) {
	client := c.client()
	if client.AccessToken, err = c.accessToken(); err != nil {
		return tok, nil, err
	}
	path := ipc.Path(ipc.PathToken, ref) + "?lease=1"
	lease, err := client.Lease(ctx, path, &tok)
	if err != nil {
		return tok, nil, err
	}
	if err = c.check(tok); err != nil || !tok.Lease {
		lease.Close()
		if err == nil {
			c.warn("rotd cannot keep this token alive while the command runs, as it is older than rot or has too many readers: a rotation may revoke it meanwhile")
		}
		return tok, func() {}, err
	}
	lease.Inherit()
	path += "&generation=" + strconv.Itoa(tok.Generation)
	ctx, cancel := context.WithCancel(context.Background()) // Ctrl-C is the command's
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lease != nil {
			unhook := context.AfterFunc(ctx, lease.End)
			lease.Wait()
			if !unhook() {
				return
			}
			lease.Close()
			lease = retake(ctx, client, path)
		}
	}()
	return tok, func() { cancel(); <-ended }, nil
}

// retake takes a lease up again; nil where that cannot be, or ctx has ended.
func retake(ctx context.Context, client *ipc.Client, path string) *ipc.Lease {
	for pause := firstReturn; ; pause = min(2*pause, lastReturn) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		var tok ipc.Token
		lease, err := client.Lease(ctx, path, &tok)
		if err == nil {
			return lease
		}
		var said *ipc.Error
		if errors.As(err, &said) && said.Code != ipc.CodeBusy && said.Code != ipc.CodeKeyringLocked {
			return nil
		}
	}
}
