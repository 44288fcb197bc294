package endpoint

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// recorder is a source that remembers what it was asked for. Each reading has one sample more than the one before.
type recorder struct {
	mu    sync.Mutex
	asked []api.Request
	err   error
}

func (s *recorder) Profile(_ context.Context, r api.Request) (*profile.Profile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r)
	if s.err != nil {
		return nil, s.err
	}
	f := &profile.Function{ID: 1, Name: "main.work", Filename: "/src/main.go"}
	l := &profile.Location{ID: 1, Address: 0x1000, Line: []profile.Line{{Function: f, Line: 7}}}
	return &profile.Profile{
		PeriodType: &profile.ValueType{Type: "space", Unit: "bytes"},
		SampleType: []*profile.ValueType{{Type: "inuse_space", Unit: "bytes"}, {Type: "alloc_space", Unit: "bytes"}},
		Sample:     []*profile.Sample{{Location: []*profile.Location{l}, Value: []int64{int64(len(s.asked)), 100}}},
		Location:   []*profile.Location{l},
		Function:   []*profile.Function{f},
		TimeNanos:  time.Now().UnixNano(),
	}, nil
}

func (s *recorder) Cmdline(context.Context) ([]byte, error) { return []byte("/app\x00-v"), nil }

var types = []api.ProfileType{api.CPU, api.Heap, api.Allocs, api.Goroutine}

func ask(t *testing.T, s Source, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	NewHandler(s, "shop/web/app", types).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestIndex(t *testing.T) {
	w := ask(t, &recorder{}, Root)
	for _, want := range []string{"shop/web/app", `href="/debug/pprof/profile"`, `href="/debug/pprof/goroutine?debug=2"`, `href="/debug/pprof/cmdline"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the index lacks %s: %s", want, w.Body)
		}
	}
	if w := ask(t, &recorder{}, "/"); w.Header().Get("Location") != Root {
		t.Errorf("the root leads to %q", w.Header().Get("Location"))
	}
	if w := ask(t, &recorder{}, Root+"cmdline"); w.Body.String() != "/app\x00-v" {
		t.Errorf("cmdline: %q", w.Body)
	}
	if w := ask(t, &recorder{}, Root+"threadcreate"); w.Code != http.StatusNotFound {
		t.Errorf("a profile that does not exist: %d", w.Code)
	}
}

// Requests mean the same as those to net/http/pprof.
func TestRequests(t *testing.T) {
	for path, want := range map[string]string{ // type, duration, level, freeze
		"profile":                    "cpu 30s  false",
		"profile?seconds=5":          "cpu 5s  false",
		"heap":                       "heap 30s  false",
		"heap?gc=1":                  "heap 30s  false",
		"allocs":                     "heap 30s  false",
		"allocs?seconds=2":           "allocs 2s  false",
		"goroutine":                  "goroutine 30s  false",
		"goroutine?debug=1":          "goroutine 30s  false",
		"goroutine?debug=2&freeze=1": "goroutine 30s goroutine false",
		"heap?memprofilerate=1&restarts=1&freeze=1&unsafekernel=1&capture=x&gc=1": "heap 30s  false",
	} {
		s := &recorder{}
		w := ask(t, s, Root+path)
		if w.Code != 200 || len(s.asked) != 1 {
			t.Errorf("%s: %d, asked %v: %s", path, w.Code, s.asked, w.Body)
			continue
		}
		r := s.asked[0]
		got := fmt.Sprintf("%s %v %s %v", r.Type, r.Duration, r.By, r.Freeze)
		if got != want || r.EnableMemProfile || r.Restarts || r.UnsafeKernel || r.Capture == "x" {
			t.Errorf("%s: asked for %q (%+v), want %q", path, got, r, want)
		}
	}
}

// With seconds, a type that is read at once is read twice, and the answer is the difference.
func TestChange(t *testing.T) {
	s := &recorder{}
	w := ask(t, s, Root+"heap?seconds=0.1")
	p, err := profile.ParseData(w.Body.Bytes())
	if err != nil {
		t.Fatalf("%d: %v", w.Code, err)
	}
	if len(s.asked) != 2 || s.asked[0].Capture == s.asked[1].Capture || len(p.Sample) != 1 || !slices.Equal(p.Sample[0].Value, []int64{1, 0}) ||
		p.DurationNanos < int64(100*time.Millisecond) {
		t.Errorf("asked %v, got %v", s.asked, p)
	}
}

// With debug=1, goroutines are counts by stack, and other types are tables.
func TestTextForms(t *testing.T) {
	const counts = "goroutine profile: total 1\n1 @ 0x1000\n#\t0x1000\tmain.work\t/src/main.go:7\n\n"
	if w := ask(t, &recorder{}, Root+"goroutine?debug=1"); w.Body.String() != counts {
		t.Errorf("got %q, want %q", w.Body, counts)
	}
	if w := ask(t, &recorder{}, Root+"heap?debug=1"); !strings.Contains(w.Body.String(), "main.work") || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("%v: %s", w.Header(), w.Body)
	}
}

func TestRefusals(t *testing.T) {
	for path, want := range map[string]int{
		"heap?seconds=x":         400,
		"heap?seconds=1&debug=1": 400,
		"heap?debug=x":           400,
		"profile?seconds=100000": 400,
		"heap":                   409,
	} {
		s := &recorder{err: &api.Error{Status: 409, Message: "memory profiling is off"}}
		if w := ask(t, s, Root+path); w.Code != want || w.Header().Get("X-Go-Pprof") != "1" {
			t.Errorf("%s: %d, want %d: %s", path, w.Code, want, w.Body)
		}
	}
	s := &recorder{}
	w := httptest.NewRecorder()
	NewHandler(s, "", types).ServeHTTP(w, httptest.NewRequest(http.MethodHead, Root+"profile", nil))
	if w.Code != 200 || len(s.asked) > 0 {
		t.Errorf("HEAD: %d, asked %v", w.Code, s.asked)
	}
}

// A client takes profiles from a real net/http/pprof.
func TestClient(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == Root+"profile" {
			pprof.Profile(w, r)
			return
		}
		pprof.Index(w, r)
	}))
	defer server.Close()
	c := clientOf(server)
	if err := c.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	p, err := c.Profile(t.Context(), api.Request{Type: api.CPU, Duration: 100 * time.Millisecond})
	if err != nil || p.SampleType[1].Type != "cpu" || time.Duration(p.DurationNanos) < time.Second {
		t.Errorf("%v, %v", p, err)
	}
}

// Check describes what answers instead of net/http/pprof.
func TestOtherServersAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"another page":      {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<h1>Welcome</h1>") }, "is not the index of net/http/pprof"},
		"nothing there":     {http.NotFound, "it answers 404 Not Found"},
		"elsewhere":         {http.RedirectHandler("http://192.0.2.1/", http.StatusFound).ServeHTTP, "it answers 302 Found"},
		"something endless": {func(w http.ResponseWriter, _ *http.Request) { io.CopyN(w, zeros{}, 2<<20) }, "is larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.answer)
			defer server.Close()
			if err := clientOf(server).Check(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	defer server.Close()
	if _, err := clientOf(server).Profile(t.Context(), api.Request{Type: api.CPU, Duration: time.Second}); err == nil || !strings.Contains(err.Error(), "is not a profile") {
		t.Errorf("got %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// clientOf asks the server, whatever the host in the URL.
func clientOf(s *httptest.Server) *Client {
	return NewClient(&http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
	}})
}
