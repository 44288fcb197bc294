// Package view serves a profile to a browser: the web interface of github.com/google/pprof, with
// the flame graph of package render as an additional page. Its entry point is Serve. It must not
// depend on where the profile came from.
//
// The pages are as confidential as the profile, and some can read source files of this machine.
// Package guard decides which requests are served.
package view

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/pprof/driver"
	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/guard"
)

// DefaultAddress is any free port on the loopback interface.
const DefaultAddress = "localhost:0"

// Options are how a profile is served.
type Options struct {
	Address string           // HOST:PORT; the host defaults to localhost, and port 0 means any free port
	Sources bool             // show source files of this machine that the profile names; on loopback only
	Ready   func(url string) // called when the server accepts connections, with the address that has the token
	Open    func(url string) // called then with an address that is accepted once, to open a browser; may be nil
	Log     io.Writer        // for messages of pprof
}

// ErrSourcesNeedLoopback is returned for Options.Sources with an address that other machines can reach.
var ErrSourcesNeedLoopback = errors.New("source files are shown on loopback only")

// Validate checks the options before a profile is read.
func (o Options) Validate() error {
	_, _, err := o.hostPort()
	return err
}

func (o Options) hostPort() (host, port string, err error) {
	if host, port, err = net.SplitHostPort(o.Address); err != nil {
		return "", "", fmt.Errorf("%q is not HOST:PORT: %w", o.Address, err)
	}
	return cmp.Or(host, "localhost"), port, nil
}

// Serve serves the profile until ctx ends, to those who know the token in the address passed to
// Options.Ready.
func Serve(ctx context.Context, p *profile.Profile, o Options) error {
	host, port, err := o.hostPort()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return fmt.Errorf("cannot serve on %s: %w", o.Address, err)
	}
	defer listener.Close()
	g, token := guard.New(host, listener.Addr()), guard.NewToken(listener.Addr())
	if o.Sources && !g.Loopback {
		return fmt.Errorf("%s: %w", o.Address, ErrSourcesNeedLoopback)
	}
	picture, err := newPicture(p)
	if err != nil {
		return err
	}
	// The driver passes its handlers to HTTPServer. It modifies the profile, so it gets a copy.
	return driver.PProf(&driver.Options{
		Flagset: newFlags("-http="+listener.Addr().String(), "-no_browser", "profile"),
		Fetch:   fetcher{p.Copy()},
		Sym:     noSymbolizer{},
		Obj:     noBinaries{},
		UI:      messages{o.Log},
		HTTPServer: func(args *driver.HTTPServerArgs) error {
			handler := g.Protect(token.Require(pages(args.Handlers, picture, o.Sources)))
			return serve(ctx, listener, handler, func() {
				url := guard.URL(host, listener.Addr())
				o.Ready(token.AddTo(url))
				if o.Open != nil {
					o.Open(token.AddOnceTo(url))
				}
			})
		},
	})
}

// prefix is the path of the driver's pages, the same as in `go tool pprof`. Their links are relative.
const prefix = "/ui"

// refusals returns the driver's pages that are not served, with the text that is shown instead. The
// pages of sources read files of this machine that the profile names. The others change the
// settings that all pprof programs of the user share.
func refusals(sources bool) map[string]string {
	const settings = "kubectl pprof view does not change the settings of pprof"
	refused := map[string]string{"/saveconfig": settings, "/deleteconfig": settings}
	if !sources {
		const files = "source files are not shown: start kubectl pprof view with --source"
		refused["/source"], refused["/disasm"] = files, files
	}
	return refused
}

// pages returns a handler with the driver's pages and the flame graph below prefix.
func pages(handlers map[string]http.Handler, picture http.Handler, sources bool) http.Handler {
	mux := http.NewServeMux()
	refused := refusals(sources)
	for path, h := range handlers {
		if text, found := refused[path]; found {
			h = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, text, http.StatusForbidden) })
		}
		if path == "/" {
			path = "/{$}"
		}
		mux.Handle(prefix+path, http.StripPrefix(prefix, withMenu(h)))
	}
	mux.Handle(prefix+picturePath, picture)
	mux.Handle("/{$}", http.RedirectHandler(prefix+"/", http.StatusTemporaryRedirect))
	return mux
}

func serve(ctx context.Context, listener net.Listener, handler http.Handler, ready func()) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		wait, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		stopped <- server.Shutdown(wait)
	})
	ready()
	err := server.Serve(listener)
	if stop() {
		return err // the server failed before ctx ended
	}
	<-stopped // its error does not matter: a page was still being sent when the time was over
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// fetcher passes the profile to the driver.
type fetcher struct{ p *profile.Profile }

func (f fetcher) Fetch(string, time.Duration, time.Duration) (*profile.Profile, string, error) {
	return f.p, "", nil
}

// noSymbolizer keeps the driver from looking for symbols: the profile is symbolized.
type noSymbolizer struct{}

func (noSymbolizer) Symbolize(string, driver.MappingSources, *profile.Profile) error { return nil }

// noBinaries keeps the driver from opening the binaries that a profile names. They are in the
// container; files of the same name on this machine are different ones.
type noBinaries struct{}

var errNoBinaries = errors.New("the binaries are in the container, not here")

func (noBinaries) Open(string, uint64, uint64, uint64, string) (driver.ObjFile, error) {
	return nil, errNoBinaries
}

func (noBinaries) Disasm(string, uint64, uint64, bool) ([]driver.Inst, error) {
	return nil, errNoBinaries
}

// messages passes on the errors of the driver.
type messages struct{ log io.Writer }

func (messages) ReadLine(string) (string, error)     { return "", io.EOF }
func (messages) Print(...any)                        {}
func (m messages) PrintErr(args ...any)              { fmt.Fprintln(m.log, strings.TrimSpace(fmt.Sprint(args...))) }
func (messages) IsTerminal() bool                    { return false }
func (messages) WantBrowser() bool                   { return false }
func (messages) SetAutoComplete(func(string) string) {}
