package guard

import (
	"crypto/rand"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
)

// tokenParameter is the parameter of an address that holds the token.
const tokenParameter = "token"

// Token is a secret without which a server answers nothing. Every user and program of this machine can
// connect to a server on loopback; the token keeps those out that have not seen the address that the
// server printed.
type Token struct {
	secret string
	cookie string                  // name; cookies do not tell the ports of one host apart
	once   *atomic.Pointer[string] // a token for one request; nil if there is none, or it has been used
}

// NewToken returns a random token for a server that listens on an address.
func NewToken(address net.Addr) Token {
	t := Token{secret: rand.Text(), cookie: "kubectl-pprof", once: &atomic.Pointer[string]{}}
	if tcp, ok := address.(*net.TCPAddr); ok {
		t.cookie += "-" + strconv.Itoa(tcp.Port)
	}
	return t
}

// AddTo returns an address with the token as a parameter.
func (t Token) AddTo(address string) string {
	return address + "?" + url.Values{tokenParameter: {t.secret}}.Encode()
}

// AddOnceTo returns an address with a token that is accepted once, until the next call. It is for the
// command line of a browser, which all users of this machine can read.
func (t Token) AddOnceTo(address string) string {
	once := rand.Text()
	t.once.Store(&once)
	return address + "?" + url.Values{tokenParameter: {once}}.Encode()
}

// useOnce reports whether s is the token that is accepted once, and uses it up.
func (t Token) useOnce(s string) bool {
	once := t.once.Load()
	return once != nil && subtle.ConstantTimeCompare([]byte(s), []byte(*once)) == 1 && t.once.CompareAndSwap(once, nil)
}

// Require returns a handler that passes requests with the token to h and refuses others. The token
// may be a parameter of the address, a bearer token (RFC 6750) or a cookie, which the server sets
// when it is given the parameter. A browser is then sent to the address without the token, so that
// the token does not stay in its history.
func (t Token) Require(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		switch cookie, err := r.Cookie(t.cookie); {
		case t.equals(query.Get(tokenParameter)), t.useOnce(query.Get(tokenParameter)):
			http.SetCookie(w, &http.Cookie{Name: t.cookie, Value: t.secret, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
			query.Del(tokenParameter)
			r.URL.RawQuery = query.Encode()
			if strings.Contains(r.Header.Get("Accept"), "text/html") {
				clean := url.URL{Path: "/" + strings.TrimLeft(r.URL.Path, "/"), RawQuery: r.URL.RawQuery}
				w.Header().Set("Cache-Control", "no-store")
				http.Redirect(w, r, clean.String(), http.StatusSeeOther)
				return
			}
		case err == nil && t.equals(cookie.Value):
		case t.equals(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")):
		default:
			http.Error(w, "this address needs a token: use the address that kubectl pprof printed", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func (t Token) equals(s string) bool {
	return subtle.ConstantTimeCompare([]byte(s), []byte(t.secret)) == 1
}
