// Package view serves a profile to a browser: the web interface of github.com/google/pprof, with the flame graph of package render as
// an additional page. Its entry point is Serve. It must not depend on where the profile came from.
//
// The pages are as confidential as the profile, and some read source files of this machine. Package guard decides who may ask.
package view

import (
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

// Serve serves the profile until ctx ends. The address is HOST:PORT; the host defaults to localhost, and port 0 means any free
// port. Serve calls ready with the URL when the server accepts connections. Messages of pprof are written to log.
func Serve(ctx context.Context, p *profile.Profile, address string, ready func(url string), log io.Writer) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not HOST:PORT: %w", address, err)
	}
	if host == "" {
		host = "localhost"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return fmt.Errorf("cannot serve on %s: %w", address, err)
	}
	defer listener.Close()
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
		UI:      messages{log},
		HTTPServer: func(args *driver.HTTPServerArgs) error {
			g := guard.New(host, listener.Addr())
			return serve(ctx, listener, g.Protect(pages(args.Handlers, picture, g.Loopback)), ready)
		},
	})
}

// prefix is the path of the driver's pages, the same as in `go tool pprof`. Their links are relative.
const prefix = "/ui"

// private are pages that read source files or binaries of this machine or change the user's pprof settings. Only requests over
// loopback may use them.
var private = map[string]bool{"/source": true, "/disasm": true, "/saveconfig": true, "/deleteconfig": true}

// pages returns a handler with the driver's pages and the flame graph below prefix.
func pages(handlers map[string]http.Handler, picture http.Handler, loopback bool) http.Handler {
	mux := http.NewServeMux()
	for path, h := range handlers {
		if !loopback && private[path] {
			continue
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

func serve(ctx context.Context, listener net.Listener, handler http.Handler, ready func(url string)) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		wait, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		stopped <- server.Shutdown(wait)
	})
	ready("http://" + listener.Addr().String() + "/")
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

// noBinaries keeps the driver from opening the binaries that a profile names. They are in the container; files of the same name on
// this machine are different ones.
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
