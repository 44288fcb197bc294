package endpoint

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/merge"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// handler serves profiles of one container.
type handler struct {
	source Source
	title  string
	types  []api.ProfileType
}

// NewHandler returns a handler that serves profiles of the types with the paths and parameters of net/http/pprof: the index, each
// type, cmdline and symbol. The title names the container on the index page.
func NewHandler(source Source, title string, types []api.ProfileType) http.Handler {
	h := &handler{source: source, title: title, types: types}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", http.RedirectHandler(Root, http.StatusTemporaryRedirect))
	mux.HandleFunc("GET "+Root+"{$}", h.index)
	mux.HandleFunc("GET "+Root+"cmdline", h.cmdline)
	mux.HandleFunc("GET "+Root+"symbol", h.symbol)
	for _, t := range types {
		mux.HandleFunc("GET "+t.Path, func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, t) })
	}
	return mux
}

var page = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en">
<head><title>/debug/pprof/</title></head>
<body>
<h1>/debug/pprof/</h1>
<p>{{.Title}}, by kubectl pprof. Each request takes a new profile.</p>
<ul>
{{range .Types}}<li><a href="{{.Path}}">{{.Name}}</a> <a href="{{.Path}}{{.Text}}">as text</a></li>
{{end}}<li><a href="/debug/pprof/cmdline">cmdline</a></li>
</ul>
</body>
</html>
`))

func (h *handler) index(w http.ResponseWriter, _ *http.Request) {
	type row struct{ Name, Path, Text string }
	var rows []row
	for _, t := range h.types {
		text := "?debug=1"
		if t == api.Goroutine {
			text = "?debug=2"
		}
		rows = append(rows, row{t.Name, t.Path, text})
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	page.Execute(w, map[string]any{"Title": h.title, "Types": rows}) // on an error, the client is gone
}

func (h *handler) cmdline(w http.ResponseWriter, r *http.Request) {
	text, err := h.source.Cmdline(r.Context())
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write(text)
}

// symbol answers that no symbols can be looked up: profiles include them.
func (h *handler) symbol(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "num_symbols: 0")
}

// serve takes a profile. As with net/http/pprof, a type of one moment is read at once, unless the request has the parameter seconds:
// then the answer is the change in that time.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, t api.ProfileType) {
	if r.Method == http.MethodHead {
		return // answered without profiling the target
	}
	request, debug, err := parse(t, r.URL.Query())
	if err != nil {
		refuse(w, err)
		return
	}
	delta := r.URL.Query().Get("seconds") != ""
	if delta && debug > 0 {
		refuse(w, &api.Error{Status: http.StatusBadRequest, Message: "seconds and debug cannot be used together"})
		return
	}
	var p *profile.Profile
	switch {
	case t.Instant && delta:
		p, err = h.change(r.Context(), request, t)
	case t == api.Allocs && !delta: // all allocations since the program's start, which the heap profile also holds
		request.Type, request.Duration = api.Heap, api.ReadTime
		if p, err = h.source.Profile(r.Context(), request); err == nil {
			p.DefaultSampleType = "alloc_space"
		}
	default:
		p, err = h.source.Profile(r.Context(), t.Request(request))
	}
	if err != nil {
		refuse(w, err)
		return
	}
	if debug > 0 {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if t == api.Goroutine && debug == 1 {
			writeCounts(w, "goroutine", p)
			return
		}
		render.Write(w, p, render.Text)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", t.Name))
	p.Write(w)
}

// parameters are the parameters that a client of the endpoint may set. The others are for the
// plugin: they would join a capture, write to the target, stop it, or risk the node.
var parameters = []string{"seconds", "debug", "frequency", "pid", "by", "times"}

// parse parses the parameters. It ignores those that a client may not set, as net/http/pprof
// ignores those that it does not have.
func parse(t api.ProfileType, q url.Values) (r api.Request, debug int, err error) {
	maps.DeleteFunc(q, func(name string, _ []string) bool { return !slices.Contains(parameters, name) })
	if s := q.Get("debug"); s != "" {
		if debug, err = strconv.Atoi(s); err != nil {
			return r, 0, &api.Error{Status: http.StatusBadRequest, Message: fmt.Sprintf("debug=%.20q is not a number", s)}
		}
		if t == api.Goroutine && debug >= 2 {
			q.Set("by", api.ByGoroutine)
		}
	}
	r, err = t.Parse(q)
	return r, debug, err
}

// change takes two profiles and returns the difference, like net/http/pprof.
func (h *handler) change(ctx context.Context, request api.Request, t api.ProfileType) (*profile.Profile, error) {
	before, err := h.source.Profile(ctx, t.Request(request))
	if err != nil {
		return nil, err
	}
	select {
	case <-time.After(request.Duration):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	request.Capture = api.NewCaptureID()
	after, err := h.source.Profile(ctx, t.Request(request))
	if err != nil {
		return nil, err
	}
	return merge.Subtract(after, before)
}

// refuse answers with the error in the form that go tool pprof prints.
func refuse(w http.ResponseWriter, err error) {
	e := &api.Error{Status: http.StatusBadGateway}
	errors.As(err, &e)
	if e.Status < 400 {
		e.Status = http.StatusInternalServerError
	}
	w.Header().Set("X-Go-Pprof", "1")
	http.Error(w, err.Error(), e.Status)
}
