// Package attach makes connections, one after another, of a container's stdin and stdout, which no end of a client
// closes. Its entry points are Listen in the container and Connect outside. It must not know what is spoken.
//
// A client that attaches may find the middle of what the one before it was sent, and the container the middle of what
// that one sent. So a client begins with a call and a nonce, which end the connection before; it passes over all that
// comes until its nonce is answered, and calls again with another one if that takes long. The call is 16 random bytes that nothing contains by accident: clients send
// requests of some hundred bytes. The answer's nonce is the client's secret until the container has it, so that
// nobody who has written a name into a profile can have forged it.
package attach

import (
	"crypto/rand"
)

// nonce distinguishes connections. That of no bits but zeros is sent to end one without beginning another.
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
