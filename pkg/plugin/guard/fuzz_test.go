package guard

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

// FuzzProtect checks that a server on loopback answers only requests which name it, and, beyond its
// start page, only those of its own pages.
func FuzzProtect(f *testing.F) {
	for _, host := range []string{
		"localhost:8080", "127.0.0.1:8080", "[::1]:8080", "evil.com", "localhost.evil.com:8080", "127.0.0.1:8080@evil.com",
		"127.1", "0", "[::ffff:127.0.0.1]:1", "localhost:8080.evil.com", "LOCALHOST.", "",
	} {
		f.Add(host, "", "", "/")
		f.Add("localhost:8080", "http://"+host, "", "/ui/top")
		f.Add("localhost:8080", "", host, "//ui/../")
	}
	h := New("127.0.0.1", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}).Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	f.Fuzz(func(t *testing.T, host, origin, site, path string) {
		fuzzbudget.Enforce(t)
		r := &http.Request{Method: http.MethodGet, Host: host, RemoteAddr: "127.0.0.1:1234", URL: &url.URL{Path: path}, Header: http.Header{}}
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			return
		}
		name := host
		if n, _, err := net.SplitHostPort(host); err == nil {
			name = n
		}
		name = strings.ToLower(strings.Trim(name, "[]"))
		address, _, _ := strings.Cut(name, "%") // a zone
		if ip := net.ParseIP(address); name != "localhost" && (ip == nil || !ip.IsLoopback()) {
			t.Errorf("a request to host %q is served", host)
		}
		if path == "/" {
			return
		}
		if site != "" && site != "same-origin" && site != "none" {
			t.Errorf("a request with Sec-Fetch-Site %q is served", site)
		}
		if page, err := url.Parse(origin); origin != "" && (err != nil || page.Host != host) {
			t.Errorf("a request of origin %q to host %q is served", origin, host)
		}
	})
}
