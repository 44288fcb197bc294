package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// startInterval is the time between two progress messages before sampling begins.
const startInterval = 500 * time.Millisecond

// captureTimeout is how long a request for progress or slices waits for the request that starts the
// capture. The two may arrive in any order.
const captureTimeout = 5 * time.Second

// Handler serves the API.
type Handler struct {
	mux      http.ServeMux
	version  api.Version
	captures *captures
	exit     func(force bool) bool
}

// NewHandler returns a handler that serves the capturer's profiles. It calls exit when a client no longer needs the profiler.
// exit must return at once; it reports whether the profiler exits.
func NewHandler(c Capturer, v api.Version, exit func(force bool) bool) *Handler {
	h := &Handler{version: v, captures: newCaptures(c), exit: exit}
	h.mux.HandleFunc("GET "+api.PathVersion, h.serveVersion)
	for _, t := range api.ProfileTypes() {
		h.mux.HandleFunc("GET "+t.Path, func(w http.ResponseWriter, req *http.Request) { h.serveProfile(w, req, t) })
	}
	if c, ok := c.(Commander); ok {
		h.mux.HandleFunc("GET "+api.PathCmdline, func(w http.ResponseWriter, _ *http.Request) { serveCmdline(w, c) })
	}
	h.mux.HandleFunc("GET "+api.PathProgress, h.serveProgress)
	h.mux.HandleFunc("GET "+api.PathSlice, h.serveSlice)
	h.mux.HandleFunc("POST "+api.PathStop, h.serveStop)
	h.mux.HandleFunc("POST "+api.PathExit, h.serveExit)
	return h
}

// Unfetched reports whether there are captures, running or finished, whose result no client has received.
func (h *Handler) Unfetched() (running, finished bool) { return h.captures.unfetched() }

// Abandon stops all captures and drops their results.
func (h *Handler) Abandon() { h.captures.abandon() }

// Shutdown stops all captures and waits for their end until ctx is done. Afterwards the handler must not receive requests for
// profiles.
func (h *Handler) Shutdown(ctx context.Context) { h.captures.shutdown(ctx) }

func (h *Handler) ServeHTTP(w http.ResponseWriter, req *http.Request) { h.mux.ServeHTTP(w, req) }

func (h *Handler) serveVersion(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, h.version) }

func (h *Handler) serveProfile(w http.ResponseWriter, req *http.Request, t api.ProfileType) {
	r, err := t.Parse(req.URL.Query())
	if err != nil {
		writeError(w, err)
		return
	}
	// A client that resumes a transfer needs the rest of that result, not a new capture.
	if req.Header.Get("If-Match") != "" {
		if j, _ := h.captures.find(r.Capture); j == nil {
			writeError(w, &api.Error{Status: http.StatusGone, Reason: api.ReasonExpired,
				Message: "the profiler no longer has the rest of the profile; take a new profile"})
			return
		}
	}
	j, err := h.captures.findOrStart(r)
	if err != nil {
		writeError(w, err)
		return
	}
	select {
	case <-req.Context().Done():
		return
	case <-j.done:
	}
	if j.err != nil {
		j.received.Store(true)
		writeError(w, j.err)
		return
	}
	j.result.serve(w, req)
}

func (h *Handler) serveProgress(w http.ResponseWriter, req *http.Request) {
	j, err := h.waitForCapture(req)
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out, flush := json.NewEncoder(w), http.NewResponseController(w)
	for {
		p := j.progress()
		if out.Encode(p) != nil || flush.Flush() != nil || p.Final() {
			return // on an error, the client is gone
		}
		wait := startInterval
		if now := time.Now(); j.startedCapture() != nil {
			wait = j.tickAfter(now).Sub(now)
		}
		select {
		case <-req.Context().Done():
			return
		case <-j.done:
		case <-time.After(wait):
		}
	}
}

func (h *Handler) serveSlice(w http.ResponseWriter, req *http.Request) {
	number, err := strconv.Atoi(req.URL.Query().Get("number"))
	if err != nil || number < 1 {
		writeError(w, api.BadRequest("number=%.20q must be a positive number", req.URL.Query().Get("number")))
		return
	}
	j, err := h.waitForCapture(req)
	if err != nil {
		writeError(w, err)
		return
	}
	r, err := j.slice(req.Context(), number)
	switch {
	case err != nil:
		writeError(w, err)
	case r == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		r.serve(w, req)
	}
}

func (h *Handler) serveStop(w http.ResponseWriter, req *http.Request) {
	id := req.URL.Query().Get("capture")
	if err := api.CheckCaptureID(id); err != nil {
		writeError(w, err)
		return
	}
	j, _ := h.captures.find(id)
	if j == nil {
		writeError(w, unknownCapture(id))
		return
	}
	j.stop()
	w.WriteHeader(http.StatusNoContent)
}

// serveExit handles the message of a client that it has received all it needs. A result that was sent does not prove that: the
// last bytes written to a stream that breaks are lost.
func (h *Handler) serveExit(w http.ResponseWriter, req *http.Request) {
	h.captures.markReceived()
	exiting := h.exit(req.URL.Query().Get("force") == "1")
	writeJSON(w, http.StatusAccepted, map[string]bool{"exiting": exiting})
}

func serveCmdline(w http.ResponseWriter, c Commander) {
	text, err := c.Cmdline()
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write(text) // on an error, the client is gone
}

// waitForCapture returns the request's capture. If it does not exist yet, it waits for it for captureTimeout.
func (h *Handler) waitForCapture(req *http.Request) (*job, error) {
	id := req.URL.Query().Get("capture")
	if err := api.CheckCaptureID(id); err != nil {
		return nil, err
	}
	timeout := time.NewTimer(captureTimeout)
	defer timeout.Stop()
	for {
		j, added := h.captures.find(id)
		if j != nil {
			return j, nil
		}
		select {
		case <-added:
		case <-timeout.C:
			return nil, unknownCapture(id)
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
}

func unknownCapture(id string) *api.Error {
	return &api.Error{Status: http.StatusNotFound, Reason: api.ReasonUnknownCapture, Message: "the profiler has no capture " + id}
}

func writeError(w http.ResponseWriter, err error) {
	e := &api.Error{Status: http.StatusInternalServerError, Reason: api.ReasonInternal, Message: err.Error()}
	errors.As(err, &e)
	writeJSON(w, e.Status, e)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // on an error, the client is gone
}
