//go:build !linux && !darwin

package socket

import "errors"

func peerCred(int) (Peer, error) {
	return Peer{}, errors.New("rotd cannot tell the peer of a socket on this system")
}
