// Package view serves a profile to a browser: the web interface of github.com/google/pprof, with our flame graph as one more of
// its pages. Its one entry point is Serve. It must not know where the profile came from.
//
// What is served is as confidential as the profile and reads files of this machine, so the rules are strict: see package guard.
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

// DefaultAddress is a free port that only this machine reaches.
const DefaultAddress = "localhost:0"

// Serve serves the profile until ctx ends. The address is HOST:PORT; without a host it is localhost, port 0
// is any free one. ready is called with the URL once it can be asked for; messages of pprof go to log.
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
	picture, err := drawPicture(p)
	if err != nil {
		return err
	}
	// The driver makes the pages and hands them over; it takes the profile for its own.
	return driver.PProf(&driver.Options{
		Flagset: newFlags("-http="+listener.Addr().String(), "-no_browser", "profile"),
		Fetch:   fetched{p.Copy()},
		Sym:     symbolized{},
		Obj:     noBinaries{},
		UI:      messages{log},
		HTTPServer: func(args *driver.HTTPServerArgs) error {
			g := guard.New(host, listener.Addr())
			return serve(ctx, listener, g.Protect(pages(args.Handlers, picture, g.Loopback)), ready)
		},
	})
}

// prefix is where the driver's pages are by its own custom; their links are relative.
const prefix = "/ui"

// private are pages that read source files or binaries of this machine, or change the user's pprof
// settings: nothing for others.
var private = map[string]bool{"/source": true, "/disasm": true, "/saveconfig": true, "/deleteconfig": true}

// pages puts the driver's handlers under their prefix, with ours among them.
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
		return err // it ended by itself
	}
	<-stopped // a page that was still being sent when the time was over is of no interest
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// fetched is the driver's source of the profile.
type fetched struct{ p *profile.Profile }

func (f fetched) Fetch(string, time.Duration, time.Duration) (*profile.Profile, string, error) {
	return f.p, "", nil
}

// symbolized keeps the driver from looking for symbols: the profile has its names.
type symbolized struct{}

func (symbolized) Symbolize(string, driver.MappingSources, *profile.Profile) error { return nil }

// noBinaries keeps the driver from opening the files that a profile names: they are in the container, and
// one of that name on this machine is another.
type noBinaries struct{}

var errNoBinaries = errors.New("the binaries are in the container, not here")

func (noBinaries) Open(string, uint64, uint64, uint64, string) (driver.ObjFile, error) {
	return nil, errNoBinaries
}

func (noBinaries) Disasm(string, uint64, uint64, bool) ([]driver.Inst, error) {
	return nil, errNoBinaries
}

// messages passes on what the driver says that is worth saying.
type messages struct{ log io.Writer }

func (messages) ReadLine(string) (string, error)     { return "", io.EOF }
func (messages) Print(...any)                        {}
func (m messages) PrintErr(args ...any)              { fmt.Fprintln(m.log, strings.TrimSpace(fmt.Sprint(args...))) }
func (messages) IsTerminal() bool                    { return false }
func (messages) WantBrowser() bool                   { return false }
func (messages) SetAutoComplete(func(string) string) {}
