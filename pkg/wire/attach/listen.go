package attach

import (
	"io"
	"net"
	"sync"
)

// Listen returns a listener for connections over the container's stdin and stdout. The end of stdin ends its last connection. Close
// does not end a pending read of stdin, which only a client can do.
func Listen(stdin io.Reader, stdout io.Writer) net.Listener {
	l := &listener{stdin: stdin, stdout: stdout, accepted: make(chan net.Conn), closed: make(chan struct{})}
	go l.read()
	return l
}

type listener struct {
	stdin    io.Reader
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once

	mu      sync.Mutex // held while writing to stdout
	stdout  io.Writer
	current net.Conn // the inner end of the newest connection
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return &net.UnixAddr{Name: "stdin", Net: "stdin"} }

// read forwards stdin to the newest connection.
func (l *listener) read() {
	var s scanner
	var inner net.Conn
	end := func() {
		if inner != nil {
			inner.Close()
			inner = nil
		}
	}
	defer end()
	buf := make([]byte, 32<<10)
	for {
		n, err := l.stdin.Read(buf)
		for _, p := range s.scan(buf[:n]) {
			switch {
			case p.call == nil:
				if inner != nil {
					inner.Write(p.data) // on an error, the connection has ended, and its reader notices
				}
			case *p.call == nonce{}:
				end()
			default:
				end()
				var outer net.Conn
				if outer, inner = net.Pipe(); !l.begin(inner, *p.call) {
					return
				}
				select {
				case l.accepted <- outer:
				case <-l.closed:
					return
				}
				go l.write(inner)
			}
		}
		if err != nil {
			return
		}
	}
}

// begin answers a call. From then on stdout belongs to the new connection. It reports whether the answer was written.
func (l *listener) begin(inner net.Conn, n nonce) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = inner
	_, err := l.stdout.Write(n.answer())
	return err == nil
}

// write forwards what the connection sends to stdout, as long as it is the newest connection.
func (l *listener) write(inner net.Conn) {
	defer inner.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := inner.Read(buf)
		if err != nil {
			return
		}
		l.mu.Lock()
		if l.current == inner {
			_, err = l.stdout.Write(buf[:n])
		} else {
			err = net.ErrClosed
		}
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}
