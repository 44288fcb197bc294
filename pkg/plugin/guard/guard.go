// Package guard protects an HTTP server on the user's machine from requests of other machines,
// other web sites and, by a token, other users of this machine. Its entry points are New and
// NewToken. It must not depend on what is served.
package guard

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// Guard decides which requests are served. A web page can make a browser on this machine send requests
// to the server in two ways. Requests by a link or an image are recognised by Sec-Fetch-Site, which
// browsers send only to trustworthy addresses such as loopback, and by Origin and Referer. Requests to
// a name whose DNS record points to this machine (DNS rebinding) are recognised by Host.
type Guard struct {
	Loopback bool // only requests of this machine are served
	names    map[string]bool
}

// New returns the guard of a server that listens on an address. The host is how the user named it.
func New(host string, address net.Addr) Guard {
	g := Guard{names: map[string]bool{"localhost": true, strings.ToLower(host): true}}
	if tcp, ok := address.(*net.TCPAddr); ok {
		g.Loopback = tcp.IP.IsLoopback()
	}
	if name, err := os.Hostname(); err == nil && !g.Loopback {
		g.names[strings.ToLower(name)] = true
	}
	return g
}

// Protect returns a handler that passes permitted requests to h and refuses others.
func (g Guard) Protect(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch site := r.Header.Get("Sec-Fetch-Site"); {
		case !g.isOwnHost(r.Host):
			http.Error(w, "the request names another host: use the address or the name with which the server was started", http.StatusForbidden)
		case g.Loopback && !fromLoopback(r.RemoteAddr):
			http.Error(w, "only requests of this machine are served", http.StatusForbidden)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			http.Error(w, "only GET and HEAD are supported", http.StatusMethodNotAllowed)
		case !fromOwnPage(r) && r.URL.Path != "/":
			http.Error(w, "requests of other sites are refused", http.StatusForbidden)
		case site != "" && site != "same-origin" && site != "none" && r.URL.Path != "/":
			http.Error(w, "requests of other sites are refused", http.StatusForbidden)
		default:
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("X-Frame-Options", "DENY")
			w.Header().Set("Referrer-Policy", "no-referrer")
			h.ServeHTTP(w, r)
		}
	})
}

// fromOwnPage reports whether the Origin and Referer of a request, as far as it has them, are pages of
// this server.
func fromOwnPage(r *http.Request) bool {
	for _, name := range []string{"Origin", "Referer"} {
		if value := r.Header.Get(name); value != "" {
			if page, err := url.Parse(value); err != nil || page.Host != r.Host {
				return false
			}
		}
	}
	return true
}

// isOwnHost reports whether a request's Host is a name of the server or an address. DNS rebinding needs
// a name.
func (g Guard) isOwnHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		return g.names[strings.ToLower(host)]
	}
	return !g.Loopback || ip.IsLoopback()
}

// URL returns the URL of a server for messages and browsers. The host is how the user named it. An
// address that stands for all addresses of this machine, such as 0.0.0.0, is no destination.
func URL(host string, address net.Addr) string {
	tcp, ok := address.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return "http://" + address.String() + "/"
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(tcp.Port)) + "/"
}

// fromLoopback reports whether a remote address, with its port, is a loopback address.
func fromLoopback(remote string) bool {
	addr, err := netip.ParseAddrPort(remote)
	return err == nil && addr.Addr().Unmap().IsLoopback()
}
