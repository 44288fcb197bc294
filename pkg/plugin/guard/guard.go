// Package guard keeps strangers away from an HTTP server on the user's machine. Its one entry point is New. It must not
// know what is served.
package guard

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
)

// Guard decides who may ask. A page elsewhere can make a browser on this machine ask us, by a link or by a
// name that it lets point to this machine (DNS rebinding): the first is told by Sec-Fetch-Site, which browsers send to this
// machine alone, and by Origin and Referer; the second by Host.
type Guard struct {
	Loopback bool // only this machine may ask
	names    map[string]bool
}

// New makes the guard of a server that listens on the address, which was given as that host.
func New(host string, address net.Addr) Guard {
	g := Guard{names: map[string]bool{"localhost": true, strings.ToLower(host): true}}
	if at, ok := address.(*net.TCPAddr); ok {
		g.Loopback = at.IP.IsLoopback()
	}
	if name, err := os.Hostname(); err == nil && !g.Loopback {
		g.names[strings.ToLower(name)] = true
	}
	return g
}

// Protect lets those pass who may ask.
func (g Guard) Protect(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch site := r.Header.Get("Sec-Fetch-Site"); {
		case !g.knows(r.Host):
			http.Error(w, "this server is not known by the name in the request: ask by an address, or by a name that it was given", http.StatusForbidden)
		case g.Loopback && !fromLoopback(r.RemoteAddr):
			http.Error(w, "only this machine may ask", http.StatusForbidden)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			http.Error(w, "only GET", http.StatusMethodNotAllowed)
		case !g.Loopback && !g.fromOurs(r) && r.URL.Path != "/":
			http.Error(w, "no requests from other sites", http.StatusForbidden)
		case site != "" && site != "same-origin" && site != "none" && r.URL.Path != "/":
			http.Error(w, "no requests from other sites", http.StatusForbidden)
		default:
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("X-Frame-Options", "DENY")
			w.Header().Set("Referrer-Policy", "no-referrer")
			h.ServeHTTP(w, r)
		}
	})
}

// fromOurs tells whether a request is of a page of ours, as far as it says so.
func (g Guard) fromOurs(r *http.Request) bool {
	for _, name := range []string{"Origin", "Referer"} {
		if value := r.Header.Get(name); value != "" {
			if page, err := url.Parse(value); err != nil || page.Host != r.Host {
				return false
			}
		}
	}
	return true
}

// knows tells whether a request's Host is ours: a name that we have, or an address, which no DNS server
// can make point elsewhere.
func (g Guard) knows(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		return g.names[strings.ToLower(host)]
	}
	return !g.Loopback || address.IsLoopback()
}

func fromLoopback(remote string) bool {
	at, err := netip.ParseAddrPort(remote)
	return err == nil && at.Addr().Unmap().IsLoopback()
}
