package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

func FuzzParseRequest(f *testing.F) {
	for _, seed := range []string{
		"", "seconds=30&frequency=99&capture=abc&pid=1&pid=2", "seconds=NaN", "seconds=1e309", "seconds=-0",
		"seconds=0.0000000001", "frequency=1e3", "pid=99999999999", "capture=%00", "seconds=%31", "a;b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		r, err := parseRequest("cpu", q)
		if err != nil {
			return
		}
		if r.Duration <= 0 || r.Duration > MaxDuration || r.Frequency < 1 || r.Frequency > MaxFrequency || len(r.PIDs) > MaxPIDs {
			t.Fatalf("%q gave %+v", raw, r)
		}
		again, err := parseRequest("cpu", r.query())
		if err != nil || fmt.Sprint(again) != fmt.Sprint(r) {
			t.Fatalf("%+v came back as %+v, %v", r, again, err)
		}
	})
}

func FuzzParseDigest(f *testing.F) {
	f.Add("sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:")
	f.Add("md5=::, sha-256=:AAAA:")
	f.Fuzz(func(t *testing.T, header string) {
		sum, err := parseDigest(header)
		if err != nil {
			return
		}
		if again, err := parseDigest(formatDigest(sum)); err != nil || again != sum {
			t.Fatalf("%q: %x came back as %x, %v", header, sum, again, err)
		}
	})
}

// FuzzHandler sends requests as nobody's client would.
func FuzzHandler(f *testing.F) {
	for _, seed := range [][3]string{
		{"GET", "/debug/pprof/profile?seconds=0.001", ""}, {"GET", "/progress?capture=x", ""}, {"GET", "/slice?capture=x&number=2", ""},
		{"POST", "/stop?capture=%zz", ""}, {"POST", "/exit?force=1", ""}, {"GET", "/debug/pprof/profile?seconds=0.001", "bytes=5-2"},
		{"PUT", "/version", ""}, {"GET", "//debug/../version", "bytes=99999999999999999999-"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, method, target, ranges string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Query().Has("seconds") && u.Query().Get("seconds") != "0.001" {
			return // it would sample for as long
		}
		h := NewHandler(&fakeCapturer{functions: 3}, Version{}, func(bool) bool { return true })
		defer h.Abandon()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		req := (&http.Request{Method: method, URL: u, Header: http.Header{"Range": {ranges}, "If-Match": {ranges}}}).WithContext(ctx)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code < 200 || w.Code > 599 {
			t.Fatalf("%s %s gave status %d", method, target, w.Code)
		}
		if w.Code >= 400 && w.Header().Get("Content-Type") == "application/json" && readError(w.Result()).Message == "" {
			t.Fatalf("%s %s was refused without a reason: %s", method, target, w.Body)
		}
	})
}

// FuzzClient is given answers as no profiler gives them. A profile that it takes for whole is the one that was sent.
func FuzzClient(f *testing.F) {
	var p bytes.Buffer
	if err := fakeProfile(3).Write(&p); err != nil {
		f.Fatal(err)
	}
	f.Add(200, formatDigest(sha256.Sum256(p.Bytes())), p.Bytes())
	f.Add(200, formatDigest(sha256.Sum256(nil)), []byte(nil))
	f.Add(206, "", []byte(`{"state":"done"}`))
	f.Add(404, "", []byte(`{"error":"\u001b[2J","reason":"x"}`))
	f.Add(200, "", []byte("{\"state\":\"failed\"}\n{\"elapsedMs\":1e99}\n"))
	f.Fuzz(func(t *testing.T, status int, digest string, body []byte) {
		if status < 200 || status > 599 || strings.ContainsAny(digest, "\r\n\x00") {
			return
		}
		server := NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Repr-Digest", digest)
			w.WriteHeader(status)
			w.Write(body)
		}))
		defer server.Close()
		l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		go server.Serve(l)
		c := NewClient(l.dial)
		defer c.Close()
		c.Broken = func(context.Context, error) bool { return true }
		c.pause = time.Microsecond
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, _ = c.Version(ctx)
		_ = c.Progress(ctx, "x", func(Progress) {})
		_ = c.Slices(ctx, "x", func(*profile.Profile) { cancel() })
		if _, err := c.Profile(t.Context(), Request{Type: "cpu", Duration: time.Second, Frequency: 99, Capture: "x"}); err == nil &&
			digest != formatDigest(sha256.Sum256(body)) {
			t.Fatalf("status %d and %d bytes with digest %q were taken for a profile", status, len(body), digest)
		}
	})
}

// pipeListener makes connections in memory.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) dial(context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
