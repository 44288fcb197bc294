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

// picturePolicy lets the picture's own script run and nothing be fetched.
const picturePolicy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"

// drawPicture is the page with our flame graph.
func drawPicture(p *profile.Profile) (http.Handler, error) {
	var page bytes.Buffer
	if err := render.Write(&page, p, render.HTML); err != nil {
		return nil, fmt.Errorf("drawing the flame graph: %w", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", picturePolicy)
		w.Write(page.Bytes())
	}), nil
}

// The driver's menu of views cannot be extended from outside; this is its entry after which ours goes.
const (
	menuEntry = `id="flamegraph">Flame Graph</a>`
	ourEntry  = menuEntry + "\n" + `      <a title="The flame graph of kubectl pprof" href=".` + picturePath + `" id="kubectl-pprof">kubectl pprof</a>`
)

// withMenu adds our page to the menu in the driver's pages.
func withMenu(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		held := &heldPage{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(held, r)
		body := held.body.Bytes()
		if strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			body = bytes.Replace(body, []byte(menuEntry), []byte(ourEntry), 1)
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(held.status)
		w.Write(body)
	})
}

// heldPage keeps an answer back until it is whole.
type heldPage struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (p *heldPage) WriteHeader(status int)         { p.status = status }
func (p *heldPage) Write(data []byte) (int, error) { return p.body.Write(data) }
