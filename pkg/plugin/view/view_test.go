package view

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
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

// serving serves a small profile and returns the URL and the token.
func serving(t *testing.T, o Options) (base, token string) {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	urls, ended := make(chan string, 1), make(chan error, 1)
	var log bytes.Buffer
	o.Ready, o.Log = func(url string) { urls <- url }, &log
	go func() { ended <- Serve(ctx, small(), o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	select {
	case url := <-urls:
		base, token, ok := strings.Cut(url, "?token=")
		if !ok {
			t.Fatalf("no token in %s", url)
		}
		return base, token
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
		return "", ""
	}
}

func get(t *testing.T, url, token string, change func(*http.Request)) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
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
	url, token := serving(t, Options{Address: DefaultAddress})
	for _, page := range []string{"", "ui/flamegraph", "ui/top", "ui/peek?f=work"} {
		if status, body, _ := get(t, url+page, token, nil); status != 200 || !strings.Contains(body, "main.work") {
			t.Errorf("/%s: status %d: %.500s", page, status, body)
		} else if !strings.Contains(body, `href="./kubectl-pprof"`) {
			t.Errorf("/%s: the flame graph is not in the menu; has the driver's menu changed?", page)
		}
	}
	status, body, header := get(t, url+"ui/kubectl-pprof", token, nil)
	if status != 200 || !strings.Contains(body, "main.work") || !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("our page: status %d, %v: %.500s", status, header, body)
	}
	if status, body, _ := get(t, url+"ui/download", token, nil); status != 200 {
		t.Errorf("download: status %d", status)
	} else if p, err := profile.ParseData([]byte(body)); err != nil || len(p.Sample) != 1 {
		t.Errorf("download: %v, %v", p, err)
	}
	if status, _, _ := get(t, url+"debug/pprof/", token, nil); status != http.StatusNotFound {
		t.Errorf("another path: status %d", status)
	}
}

func TestOnlyLoopbackIsAllowed(t *testing.T) {
	url, token := serving(t, Options{Address: DefaultAddress})
	for name, c := range map[string]struct {
		path   string
		change func(*http.Request)
		want   int
	}{
		"as printed":            {"", nil, 200},
		"by name":               {"ui/top", func(r *http.Request) { r.Host = "LOCALHOST:1234" }, 200},
		"IPv6":                  {"ui/top", func(r *http.Request) { r.Host = "[::1]:1234" }, 200},
		"other name":            {"", func(r *http.Request) { r.Host = "evil.example" }, 403},
		"other address":         {"", func(r *http.Request) { r.Host = "192.0.2.1" }, 403},
		"no name":               {"", func(r *http.Request) { r.Host = ":80" }, 403},
		"same origin":           {"ui/top", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") }, 200},
		"cross site":            {"ui/saveconfig?config=x", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"same site, other port": {"ui/top", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 403},
		"POST":                  {"ui/top", func(r *http.Request) { r.Method = http.MethodPost }, 405},
	} {
		if status, body, _ := get(t, url+c.path, token, c.change); status != c.want {
			t.Errorf("%s: status %d, want %d: %.200s", name, status, c.want, body)
		}
	}
}

func TestOtherMachines(t *testing.T) {
	url, token := serving(t, Options{Address: "0.0.0.0:0"})
	_, port, err := net.SplitHostPort(strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(url, "http://localhost:") {
		t.Errorf("the address is %s", url)
	}
	url = "http://127.0.0.1:" + port + "/ui/"
	for page, want := range map[string]int{"top": 200, "kubectl-pprof": 200, "source?f=work": 403, "disasm?f=work": 403, "saveconfig?config=x": 403} {
		if status, _, _ := get(t, url+page, token, nil); status != want {
			t.Errorf("%s: status %d, want %d", page, status, want)
		}
	}
	if status, _, _ := get(t, url+"top", token, func(r *http.Request) { r.Host = "192.0.2.1" }); status != 200 {
		t.Errorf("by this machine's address: status %d", status)
	}
	if status, _, _ := get(t, url+"top", token, func(r *http.Request) { r.Host = "evil.example" }); status != 403 {
		t.Errorf("by another's name: status %d", status)
	}
}

// Other users of this machine can connect, but do not know the token.
func TestToken(t *testing.T) {
	url, token := serving(t, Options{Address: DefaultAddress})
	for _, page := range []string{"", "ui/", "ui/top", "ui/kubectl-pprof", "ui/download", "ui/source?f=work"} {
		if status, body, _ := get(t, url+page, "", nil); status != 403 || strings.Contains(body, "work") {
			t.Errorf("/%s: status %d: %.200s", page, status, body)
		}
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := http.Client{Jar: jar}
	for _, address := range []string{url + "?token=" + token, url + "ui/top"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/html")
		answer, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != 200 || strings.Contains(answer.Request.URL.String(), token) {
			t.Errorf("%s: status %d at %s", address, answer.StatusCode, answer.Request.URL)
		}
	}
}

// A browser is opened with an address whose token is accepted once.
func TestOpen(t *testing.T) {
	opened := make(chan string, 1)
	_, token := serving(t, Options{Address: DefaultAddress, Open: func(url string) { opened <- url }})
	url := <-opened
	if strings.Contains(url, token) {
		t.Errorf("the address %s has the lasting token", url)
	}
	url = strings.Replace(url, "/?", "/ui/top?", 1)
	for _, want := range []int{200, 403} {
		if status, _, _ := get(t, url, "", nil); status != want {
			t.Errorf("status %d, want %d", status, want)
		}
	}
}

// Files are read only if asked for, and nothing changes the user's settings.
func TestFilesAndSettings(t *testing.T) {
	for _, sources := range []bool{false, true} {
		url, token := serving(t, Options{Address: DefaultAddress, Sources: sources})
		want := map[bool]int{false: 403, true: 200}[sources]
		if status, _, _ := get(t, url+"ui/source?f=work", token, nil); status != want {
			t.Errorf("sources %v: status %d, want %d", sources, status, want)
		}
		for _, page := range []string{"saveconfig?config=x", "deleteconfig?config=x"} {
			if status, _, _ := get(t, url+"ui/"+page, token, nil); status != 403 {
				t.Errorf("%s: status %d", page, status)
			}
		}
	}
	err := Serve(t.Context(), small(), Options{Address: "0.0.0.0:0", Sources: true, Ready: func(string) { t.Error("ready") }})
	if !errors.Is(err, ErrSourcesNeedLoopback) {
		t.Errorf("sources for other machines: %v", err)
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
		err := Serve(t.Context(), small(), Options{Address: address, Ready: func(string) { t.Error("ready was called") }, Log: io.Discard})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := (noBinaries{}).Open("", 0, 0, 0, ""); !errors.Is(err, errNoBinaries) {
		t.Error(err)
	}
}
