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

// DialPort connects to a port of a pod as kubectl port-forward does, but without a local port: over a
// WebSocket, or else SPDY. If nothing listens on the port, the first read fails.
func DialPort(ctx context.Context, config *rest.Config, ref Ref, port int) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	results := make(chan result, 1)
	go func() { // client-go's dialers have no context parameter
		conn, err := openPort(config, ref, port)
		results <- result{conn, err}
	}()
	select {
	case r := <-results:
		return r.conn, r.err
	case <-ctx.Done():
		go func() {
			if r := <-results; r.err == nil {
				r.conn.Close()
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
	if os.Getenv("KUBECTL_PORT_FORWARD_WEBSOCKETS") == "false" { // as for kubectl
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

// portConn is a connection to a port. A second stream carries the reason of a failure. Deadlines are
// not supported.
type portConn struct {
	connection httpstream.Connection
	port       int
	data       httpstream.Stream

	ended  chan struct{} // closed at the end of the error stream, when reason is set
	reason string        // empty: no failure
	once   sync.Once
}

// open creates the streams. Their headers are those of the portforward protocol of the kubelet
// (k8s.io/client-go/tools/portforward).
func (c *portConn) open() error {
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(c.port))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	errorStream, err := c.connection.CreateStream(headers)
	if err != nil {
		return err
	}
	errorStream.Close() // only the other side writes to it
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

// reasonTime is how long Read waits for the reason after the end of the data.
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
