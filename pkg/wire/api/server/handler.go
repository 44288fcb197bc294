package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

const (
	progressInterval = 500 * time.Millisecond
	// progressWait is how long a request for progress waits for the one that starts the capture:
	// the two may be sent in any order.
	progressWait = 5 * time.Second
)

// Handler serves the API.
type Handler struct {
	mux      http.ServeMux
	version  api.Version
	captures *captures
	exit     func(force bool) bool
}

// NewHandler serves profiles made by the capturer. It calls exit when a client says that the
// profiler is needed no longer; exit reports whether the profiler ends, and returns at once.
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

// Unfetched reports whether there are captures, running or finished, whose result nobody has received yet.
func (h *Handler) Unfetched() (running, finished bool) { return h.captures.unfetched() }

// Abandon stops all captures and forgets their results, for nobody is there to fetch them.
func (h *Handler) Abandon() { h.captures.abandon() }

// Shutdown stops all captures and waits for them until ctx is done. None must be asked for afterwards.
func (h *Handler) Shutdown(ctx context.Context) { h.captures.shutdown(ctx) }

func (h *Handler) ServeHTTP(w http.ResponseWriter, req *http.Request) { h.mux.ServeHTTP(w, req) }

func (h *Handler) serveVersion(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, h.version) }

func (h *Handler) serveProfile(w http.ResponseWriter, req *http.Request, t api.ProfileType) {
	r, err := t.Parse(req.URL.Query())
	if err != nil {
		writeError(w, err)
		return
	}
	// Who resumes a transfer wants the rest of that result and never a new capture.
	if req.Header.Get("If-Match") != "" {
		if j, _ := h.captures.find(r.Capture); j == nil {
			writeError(w, &api.Error{Status: http.StatusGone, Reason: api.ReasonExpired,
				Message: "the profile's result is no longer kept; take a new profile"})
			return
		}
	}
	j, err := h.captures.join(r)
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
	j, err := h.await(req)
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out, flush := json.NewEncoder(w), http.NewResponseController(w)
	tick := time.NewTicker(progressInterval)
	defer tick.Stop()
	for {
		p := j.progress()
		if out.Encode(p) != nil || flush.Flush() != nil || p.Final() {
			return // an error means that the client is gone
		}
		select {
		case <-req.Context().Done():
			return
		case <-j.done:
		case <-tick.C:
		}
	}
}

// await finds the request's capture, and waits a while for one that is not there yet.
func (h *Handler) await(req *http.Request) (*job, error) {
	id := req.URL.Query().Get("capture")
	if err := api.CheckCaptureID(id); err != nil {
		return nil, err
	}
	timeout := time.NewTimer(progressWait)
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

// serveExit hears that a client has all it wants. That a result was sent does not tell that: what a broken stream was
// given last is lost.
func (h *Handler) serveExit(w http.ResponseWriter, req *http.Request) {
	h.captures.allReceived()
	exiting := h.exit(req.URL.Query().Get("force") == "1")
	writeJSON(w, http.StatusAccepted, map[string]bool{"exiting": exiting})
}

func unknownCapture(id string) *api.Error {
	return &api.Error{Status: http.StatusNotFound, Reason: api.ReasonUnknownCapture, Message: "there is no capture " + id}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // an error means that the client is gone
}

func writeError(w http.ResponseWriter, err error) {
	e := &api.Error{Status: http.StatusInternalServerError, Reason: api.ReasonInternal, Message: err.Error()}
	errors.As(err, &e)
	writeJSON(w, e.Status, e)
}
