package view

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

const picturePath = "/kubectl-pprof"

// picturePolicy allows the inline script of the flame graph and forbids all requests.
const picturePolicy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"

// newPicture returns a handler for the page with the flame graph.
func newPicture(p *profile.Profile) (http.Handler, error) {
	var page bytes.Buffer
	if err := render.Write(&page, p, render.HTML); err != nil {
		return nil, fmt.Errorf("draw the flame graph: %w", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", picturePolicy)
		w.Write(page.Bytes())
	}), nil
}

// The driver has no way to extend its menu of views. ourEntry is inserted after menuEntry, which is
// a part of its pages.
const (
	menuEntry = `id="flamegraph">Flame Graph</a>`
	ourEntry  = menuEntry + "\n" + `      <a title="The flame graph of kubectl pprof" href=".` + picturePath + `" id="kubectl-pprof">kubectl pprof</a>`
)

// withMenu adds the flame graph to the menu in the driver's pages.
func withMenu(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page := &bufferedResponse{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(page, r)
		body := page.body.Bytes()
		if strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			body = bytes.Replace(body, []byte(menuEntry), []byte(ourEntry), 1)
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(page.status)
		w.Write(body)
	})
}

// bufferedResponse buffers a response.
type bufferedResponse struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (p *bufferedResponse) WriteHeader(status int)         { p.status = status }
func (p *bufferedResponse) Write(data []byte) (int, error) { return p.body.Write(data) }
