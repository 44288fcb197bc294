package view

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

func small() *profile.Profile {
	f := &profile.Function{ID: 1, Name: "main.work", Filename: "work.go"}
	l := &profile.Location{ID: 1, Line: []profile.Line{{Function: f, Line: 7}}}
	return &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}},
		Function:   []*profile.Function{f}, Location: []*profile.Location{l},
		Sample: []*profile.Sample{{Location: []*profile.Location{l}, Value: []int64{7}}},
	}
}

// serving serves a small profile on the address and returns the URL.
func serving(t *testing.T, address string) string {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	urls, ended := make(chan string, 1), make(chan error, 1)
	var log bytes.Buffer
	go func() { ended <- Serve(ctx, small(), address, func(url string) { urls <- url }, &log) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	select {
	case url := <-urls:
		return url
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
		return ""
	}
}

func get(t *testing.T, url string, change func(*http.Request)) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body), answer.Header
}

func TestPages(t *testing.T) {
	url := serving(t, DefaultAddress)
	for _, page := range []string{"", "ui/flamegraph", "ui/top", "ui/peek?f=work"} {
		if status, body, _ := get(t, url+page, nil); status != 200 || !strings.Contains(body, "main.work") {
			t.Errorf("/%s: status %d: %.500s", page, status, body)
		} else if !strings.Contains(body, `href="./kubectl-pprof"`) {
			t.Errorf("/%s: the flame graph is not in the menu; has the driver's menu changed?", page)
		}
	}
	status, body, header := get(t, url+"ui/kubectl-pprof", nil)
	if status != 200 || !strings.Contains(body, "main.work") || !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("our page: status %d, %v: %.500s", status, header, body)
	}
	if status, body, _ := get(t, url+"ui/download", nil); status != 200 {
		t.Errorf("download: status %d", status)
	} else if p, err := profile.ParseData([]byte(body)); err != nil || len(p.Sample) != 1 {
		t.Errorf("download: %v, %v", p, err)
	}
	if status, _, _ := get(t, url+"debug/pprof/", nil); status != http.StatusNotFound {
		t.Errorf("another path: status %d", status)
	}
}

func TestOnlyLoopbackIsAllowed(t *testing.T) {
	url := serving(t, "localhost:0")
	for name, c := range map[string]struct {
		path   string
		change func(*http.Request)
		want   int
	}{
		"as printed":            {"", nil, 200},
		"by name":               {"", func(r *http.Request) { r.Host = "LOCALHOST:1234" }, 200},
		"IPv6":                  {"", func(r *http.Request) { r.Host = "[::1]:1234" }, 200},
		"other name":            {"", func(r *http.Request) { r.Host = "evil.example" }, 403},
		"other address":         {"", func(r *http.Request) { r.Host = "192.0.2.1" }, 403},
		"no name":               {"", func(r *http.Request) { r.Host = ":80" }, 403},
		"same origin":           {"ui/top", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") }, 200},
		"cross site":            {"ui/saveconfig?config=x", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"same site, other port": {"ui/top", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 403},
		"POST":                  {"ui/top", func(r *http.Request) { r.Method = http.MethodPost }, 405},
	} {
		if status, body, _ := get(t, url+c.path, c.change); status != c.want {
			t.Errorf("%s: status %d, want %d: %.200s", name, status, c.want, body)
		}
	}
}

func TestPrivatePagesNeedLoopback(t *testing.T) {
	url := serving(t, "0.0.0.0:0")
	_, port, err := net.SplitHostPort(strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/"))
	if err != nil {
		t.Fatal(err)
	}
	url = "http://127.0.0.1:" + port + "/ui/"
	for page, want := range map[string]int{"top": 200, "kubectl-pprof": 200, "source?f=work": 404, "disasm?f=work": 404, "saveconfig?config=x": 404} {
		if status, _, _ := get(t, url+page, nil); status != want {
			t.Errorf("%s: status %d, want %d", page, status, want)
		}
	}
	if status, _, _ := get(t, url+"top", func(r *http.Request) { r.Host = "192.0.2.1" }); status != 200 {
		t.Errorf("by this machine's address: status %d", status)
	}
	if status, _, _ := get(t, url+"top", func(r *http.Request) { r.Host = "evil.example" }); status != 403 {
		t.Errorf("by another's name: status %d", status)
	}
}

func TestInvalidAddresses(t *testing.T) {
	taken, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for address, want := range map[string]string{
		"8080":                   `"8080" is not HOST:PORT`,
		taken.Addr().String():    "cannot serve on " + taken.Addr().String(),
		"no.such.name.invalid:1": "cannot serve on no.such.name.invalid:1",
	} {
		err := Serve(t.Context(), small(), address, func(string) { t.Error("ready was called") }, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := (noBinaries{}).Open("", 0, 0, 0, ""); !errors.Is(err, errNoBinaries) {
		t.Error(err)
	}
}
