package guard

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestToken(t *testing.T) {
	token := NewToken(&net.TCPAddr{Port: 6060})
	if other := NewToken(&net.TCPAddr{Port: 6060}); len(token.secret) < 26 || other.secret == token.secret {
		t.Fatalf("tokens %q and %q", token.secret, other.secret)
	}
	seen := ""
	h := token.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.URL.RequestURI() }))
	secret := token.secret
	for name, c := range map[string]struct {
		path   string
		change func(*http.Request)
		want   int
		sees   string // the handler
	}{
		"none":              {"/ui/top", nil, 403, ""},
		"parameter":         {"/heap?seconds=5&token=" + secret, nil, 200, "/heap?seconds=5"},
		"wrong parameter":   {"/heap?token=" + secret + "x", nil, 403, ""},
		"empty parameter":   {"/heap?token=", nil, 403, ""},
		"bearer":            {"/heap", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret) }, 200, "/heap"},
		"wrong bearer":      {"/heap", func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") }, 403, ""},
		"cookie":            {"/ui/top", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "kubectl-pprof-6060", Value: secret}) }, 200, "/ui/top"},
		"cookie of another": {"/ui/top", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "kubectl-pprof-6061", Value: secret}) }, 403, ""},
		"browser":           {"/ui/?f=a&token=" + secret, func(r *http.Request) { r.Header.Set("Accept", "text/html,*/*") }, 303, ""},
	} {
		seen = ""
		r := httptest.NewRequest(http.MethodGet, "http://localhost:6060"+c.path, nil)
		if c.change != nil {
			c.change(r)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want || seen != c.sees {
			t.Errorf("%s: status %d, want %d; the handler sees %q, want %q", name, w.Code, c.want, seen, c.sees)
		}
		if strings.Contains(c.path, secret) && c.want != 403 {
			cookies := w.Result().Cookies()
			if len(cookies) != 1 || cookies[0].Value != secret || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode {
				t.Errorf("%s: cookies %v", name, cookies)
			}
		}
		if c.want == 303 && w.Header().Get("Location") != "/ui/?f=a" {
			t.Errorf("%s: redirected to %q", name, w.Header().Get("Location"))
		}
	}
	address, err := url.Parse(token.AddTo("http://localhost:6060/"))
	if err != nil || address.Query().Get("token") != secret || address.Path != "/" {
		t.Errorf("%v, %v", address, err)
	}
	once, err := url.Parse(token.AddOnceTo("http://localhost:6060/"))
	if err != nil || strings.Contains(once.String(), secret) {
		t.Errorf("%v, %v", once, err)
	}
	for _, want := range []int{200, 403} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, once.String(), nil))
		if w.Code != want {
			t.Errorf("the token for one request: status %d, want %d", w.Code, want)
		}
	}
	// A path that begins with two slashes must not lead to another host.
	r := httptest.NewRequest(http.MethodGet, "http://localhost:6060//evil.example/?token="+secret, nil)
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if got := w.Header().Get("Location"); strings.HasPrefix(got, "//") || strings.Contains(got, "://") {
		t.Errorf("redirected to %q", got)
	}
}
