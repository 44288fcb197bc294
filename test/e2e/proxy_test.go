//go:build linux

package e2e

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// proxy is a proxy between the plugin and the API server, like a load balancer. It forwards
// requests. The test decides what happens to streams (exec and attach, by WebSocket or SPDY).
type proxy struct {
	kubeconfig string
	// refuse reports whether to respond to a request for a stream with an error.
	refuse func(*http.Request) bool
	// fault returns the fault to inject into a stream, nil for none.
	fault func(*http.Request) *fault

	refused, faults atomic.Int64
}

// fault is a fault injected into a stream.
type fault struct {
	up     bool // whether it is in the direction from the plugin to the API server
	after  int  // bytes in that direction before it happens
	action action
	pause  time.Duration // before each read of up to 4 KiB
}

type action int

const (
	cut     action = iota // close both directions
	stall                 // deliver nothing more in both directions until the plugin gives up
	corrupt               // flip one bit
	none
)

// startProxy starts a proxy that runs until the test ends.
func startProxy(t *testing.T) *proxy {
	t.Helper()
	p := &proxy{refuse: func(*http.Request) bool { return false }, fault: func(*http.Request) *fault { return nil }}
	upstream := rest.CopyConfig(config)
	upstream.NextProtos = []string{"http/1.1"} // a stream takes over its HTTP/1.1 connection
	transport, err := rest.TransportFor(upstream)
	if err != nil {
		t.Fatal(err)
	}
	server, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	reverse := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(server)
			r.Out.Header.Del("Authorization")
		},
		Transport:     transport,
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode != http.StatusSwitchingProtocols {
				return nil
			}
			if f := p.fault(r.Request); f != nil {
				r.Body = &faultyStream{ReadWriteCloser: r.Body.(io.ReadWriteCloser), fault: *f, proxy: p, closed: make(chan struct{})}
			}
			return nil
		},
	}
	listener := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" && p.refuse(r) {
			p.refused.Add(1)
			http.Error(w, "<html>this proxy does not do that</html>", http.StatusBadGateway)
			return
		}
		reverse.ServeHTTP(w, r)
	}))
	listener.Config.ErrorLog = log.New(io.Discard, "", 0)
	listener.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
	listener.StartTLS()
	t.Cleanup(func() {
		listener.CloseClientConnections()
		listener.Close()
	})
	kc := clientcmdapi.NewConfig()
	kc.Clusters["test"] = &clientcmdapi.Cluster{
		Server:                   listener.URL,
		CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: listener.Certificate().Raw}),
	}
	kc.AuthInfos["user"] = &clientcmdapi.AuthInfo{Token: "the proxy has its own"}
	kc.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "user"}
	kc.CurrentContext = "test"
	p.kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*kc, p.kubeconfig); err != nil {
		t.Fatal(err)
	}
	return p
}

func isWebSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

func isFor(subresource string) func(*http.Request) bool {
	return func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/"+subresource) }
}

// randomly injects a fault at a random place into each of the first count streams.
func randomly(seed uint64, count int, what action) func(*http.Request) *fault {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0))
	return func(*http.Request) *fault {
		mu.Lock()
		defer mu.Unlock()
		if count--; count < 0 {
			return nil
		}
		if random.IntN(5) == 0 {
			return &fault{up: true, after: random.IntN(1500), action: what}
		}
		return &fault{after: random.IntN(6_000), action: what}
	}
}

// faultyStream is the API server's side of a stream with a fault.
type faultyStream struct {
	io.ReadWriteCloser
	fault
	proxy  *proxy
	mu     sync.Mutex
	passed int // bytes in the direction of the fault
	done   bool
	once   sync.Once
	closed chan struct{}
}

func (s *faultyStream) Read(p []byte) (int, error) {
	if s.pause > 0 {
		p = p[:min(len(p), 4<<10)]
		time.Sleep(s.pause)
	}
	n, err := s.ReadWriteCloser.Read(p)
	if s.up {
		return s.hold(n), err
	}
	n, cutErr := s.pass(p[:n])
	if cutErr != nil {
		err = cutErr
	}
	return n, err
}

func (s *faultyStream) Write(p []byte) (int, error) {
	if !s.up {
		s.hold(len(p))
		return s.ReadWriteCloser.Write(p)
	}
	q := append([]byte(nil), p...)
	n, err := s.pass(q)
	if _, writeErr := s.ReadWriteCloser.Write(q[:n]); err == nil {
		err = writeErr
	}
	return n, err
}

// pass applies the fault to data in the fault's direction and returns how many bytes to forward.
func (s *faultyStream) pass(p []byte) (int, error) {
	s.mu.Lock()
	before := s.passed
	s.passed += len(p)
	happens := !s.done && s.action != none && s.passed > s.after
	s.done = s.done || happens
	s.mu.Unlock()
	if !happens {
		return s.hold(len(p)), nil
	}
	s.proxy.faults.Add(1)
	switch at := s.after - before; s.action {
	case corrupt:
		p[at] ^= 0x10
		return len(p), nil
	case stall:
		<-s.closed
		return at, io.ErrUnexpectedEOF
	default:
		s.Close()
		return at, io.ErrUnexpectedEOF
	}
}

// hold blocks if the stream has stalled.
func (s *faultyStream) hold(n int) int {
	s.mu.Lock()
	stalled := s.done && s.action == stall
	s.mu.Unlock()
	if stalled {
		<-s.closed
	}
	return n
}

func (s *faultyStream) Close() error {
	s.once.Do(func() { close(s.closed) })
	return s.ReadWriteCloser.Close()
}
