package guard

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestFromLoopback(t *testing.T) {
	for remote, want := range map[string]bool{"127.0.0.1:5": true, "[::1]:5": true, "[::ffff:127.0.0.1]:5": true, "192.0.2.1:5": false, "": false} {
		if fromLoopback(remote) != want {
			t.Errorf("%q: want %v", remote, want)
		}
	}
}

// Requests to a server on a loopback address, and to one on all addresses.
func TestProtect(t *testing.T) {
	for name, c := range map[string]struct {
		host     string // with which the server was started
		loopback bool
		change   func(*http.Request)
		want     int
	}{
		"no headers":              {"localhost", true, func(r *http.Request) { r.Host = "localhost:6060" }, 200},
		"loopback address":        {"localhost", true, func(r *http.Request) { r.Host = "127.0.0.1:6060" }, 200},
		"DNS rebinding":           {"localhost", true, func(r *http.Request) { r.Host = "evil.example:6060" }, 403},
		"image on another site":   {"localhost", true, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"page of another machine": {"0.0.0.0", false, func(r *http.Request) { r.Host = "192.0.2.7:6060"; r.Header.Set("Referer", "http://192.0.2.9/") }, 403},
		"sandboxed page":          {"0.0.0.0", false, func(r *http.Request) { r.Host = "192.0.2.7:6060"; r.Header.Set("Origin", "null") }, 403},
		"own page": {"0.0.0.0", false, func(r *http.Request) {
			r.Host = "192.0.2.7:6060"
			r.Header.Set("Referer", "http://192.0.2.7:6060/debug/pprof/")
		}, 200},
		"POST":                           {"localhost", true, func(r *http.Request) { r.Method = http.MethodPost }, 405},
		"other machine, loopback server": {"localhost", true, func(r *http.Request) { r.RemoteAddr = "192.0.2.1:5" }, 403},
		"other machine":                  {"0.0.0.0", false, func(r *http.Request) { r.Host, r.RemoteAddr = "192.0.2.7:6060", "192.0.2.1:5" }, 200},
		"DNS rebinding, all addresses":   {"0.0.0.0", false, func(r *http.Request) { r.Host = "evil.example:6060" }, 403},
		"name of the server":             {"profiles.example", false, func(r *http.Request) { r.Host = "Profiles.example:6060" }, 200},
	} {
		t.Run(name, func(t *testing.T) {
			ip := net.IPv4zero
			if c.loopback {
				ip = net.IPv4(127, 0, 0, 1)
			}
			h := New(c.host, &net.TCPAddr{IP: ip, Port: 6060}).Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			r := httptest.NewRequest(http.MethodGet, "http://localhost:6060/debug/pprof/heap", nil)
			r.RemoteAddr = "127.0.0.1:40000"
			c.change(r)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.want {
				t.Errorf("status %d, want %d: %s", w.Code, c.want, w.Body)
			}
		})
	}
}

func TestURL(t *testing.T) {
	all, loopback := &net.TCPAddr{IP: net.IPv6unspecified, Port: 80}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}
	for _, c := range []struct {
		host    string
		address net.Addr
		want    string
	}{
		{"0.0.0.0", all, "http://localhost:80/"},
		{"::", all, "http://localhost:80/"},
		{"", all, "http://localhost:80/"},
		{"profiles.example", all, "http://profiles.example:80/"},
		{"localhost", loopback, "http://127.0.0.1:80/"},
	} {
		if got := URL(c.host, c.address); got != c.want {
			t.Errorf("%q, %v: %s, want %s", c.host, c.address, got, c.want)
		}
	}
}
