// Package attach makes a series of connections out of a container's stdin and stdout, which stay open when a client detaches. Its
// entry points are Listen, inside the container, and Connect, outside. It must not depend on what the connections carry.
//
// A client that attaches may first receive the rest of what was sent to the client before it, and the container may receive half of
// a message of that client. A client therefore sends a call with a nonce, which ends the connection before. It discards everything
// it receives until the answer with its nonce arrives; if that takes long, it calls again with another nonce. The call is 16 random
// bytes, which no request of a few hundred bytes contains by accident. Only the client knows the nonce until the container receives
// it, so nobody can forge an answer, for instance in the name of a function in a profile.
package attach

import (
	"crypto/rand"
)

// nonce identifies a connection. The zero nonce ends a connection without starting another.
type nonce [16]byte

const (
	call   = "\xd2\x1f\x86\x0a\xe7\x5c\x93\x44\xb8\x02\x6d\xf1\x3b\x97\xc0\x58"
	answer = "\x8e\x41\x0b\xd9\x27\xf4\x6a\x13\x9c\xe5\x70\xaf\x36\xc8\x5d\x02"
)

func newNonce() (n nonce) {
	rand.Read(n[:])
	return n
}

func (n nonce) call() []byte   { return append([]byte(call), n[:]...) }
func (n nonce) answer() []byte { return append([]byte(answer), n[:]...) }
