package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

// Port connects to a port of a pod, as kubectl port-forward does but without a port on this machine: by WebSocket, else
// SPDY. That nobody listens there shows when the connection is read.
func Port(ctx context.Context, config *rest.Config, ref Ref, port int) (net.Conn, error) {
	type answer struct {
		conn net.Conn
		err  error
	}
	answers := make(chan answer, 1)
	go func() { // client-go's dialers take no context
		conn, err := openPort(config, ref, port)
		answers <- answer{conn, err}
	}()
	select {
	case a := <-answers:
		return a.conn, a.err
	case <-ctx.Done():
		go func() {
			if a := <-answers; a.err == nil {
				a.conn.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

func openPort(config *rest.Config, ref Ref, port int) (net.Conn, error) {
	dialer, err := portDialer(config, ref)
	if err != nil {
		return nil, err
	}
	connection, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		return nil, err
	}
	c := &portConn{connection: connection, port: port, ended: make(chan struct{})}
	if err := c.open(); err != nil {
		connection.Close()
		return nil, fmt.Errorf("port %d of pod %s/%s: %w", port, ref.Namespace, ref.Pod, err)
	}
	return c, nil
}

func portDialer(config *rest.Config, ref Ref) (httpstream.Dialer, error) {
	core, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	url := core.RESTClient().Post().Namespace(ref.Namespace).Resource("pods").Name(ref.Pod).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	if os.Getenv("KUBECTL_PORT_FORWARD_WEBSOCKETS") == "false" { // kubectl's switch
		return dialer, nil
	}
	tunnel, err := portforward.NewSPDYOverWebsocketDialer(url, config)
	if err != nil {
		return nil, err
	}
	return portforward.NewFallbackDialer(tunnel, dialer, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

// portConn is the stream of one connection to a port, with that of its error. It has no deadlines.
type portConn struct {
	connection httpstream.Connection
	port       int
	data       httpstream.Stream

	ended  chan struct{} // closed when the other side has said what went wrong, if anything
	reason string
	once   sync.Once
}

func (c *portConn) open() error {
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(c.port))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	errorStream, err := c.connection.CreateStream(headers)
	if err != nil {
		return err
	}
	errorStream.Close() // nothing is said on it by us
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	if c.data, err = c.connection.CreateStream(headers); err != nil {
		return err
	}
	go func() {
		defer close(c.ended)
		text, _ := io.ReadAll(io.LimitReader(errorStream, maxTail))
		c.reason = strings.TrimSpace(string(text))
	}()
	return nil
}

// reasonTime is how long the reason may come after the end.
const reasonTime = time.Second

func (c *portConn) Read(p []byte) (int, error) {
	n, err := c.data.Read(p)
	if err == nil {
		return n, nil
	}
	select {
	case <-c.ended:
		if c.reason != "" {
			return n, errors.New(c.reason)
		}
	case <-time.After(reasonTime):
	}
	return n, err
}

func (c *portConn) Write(p []byte) (int, error) { return c.data.Write(p) }

func (c *portConn) Close() error {
	c.once.Do(func() {
		c.data.Reset()
		c.connection.Close()
	})
	return nil
}

func (c *portConn) LocalAddr() net.Addr              { return portAddr{} }
func (c *portConn) RemoteAddr() net.Addr             { return portAddr{} }
func (c *portConn) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (c *portConn) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (c *portConn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

type portAddr struct{}

func (portAddr) Network() string { return "portforward" }
func (portAddr) String() string  { return "pod" }
