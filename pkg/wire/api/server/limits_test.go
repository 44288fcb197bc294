package server_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/client"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/internal/apitest"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/server"
)

func TestTooManyAtOnce(t *testing.T) {
	f := &apitest.Capturer{}
	h, dial := apitest.Serve(t, f, nil)
	defer h.Abandon()
	c := client.New(dial)
	defer c.Close()
	for range server.MaxRunning {
		go c.Profile(t.Context(), api.Request{Type: api.CPU, Duration: time.Minute, Frequency: 99})
	}
	for deadline := time.Now().Add(time.Minute); len(f.Requests()) < server.MaxRunning && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	_, err := c.Profile(t.Context(), api.Request{Type: api.CPU, Duration: time.Millisecond, Frequency: 99})
	var e *api.Error
	if !errors.As(err, &e) || e.Status != http.StatusTooManyRequests || e.Reason != api.ReasonBusy {
		t.Errorf("got %v", err)
	}
}

func TestFinishedResultsAreBounded(t *testing.T) {
	h, dial := apitest.Serve(t, &apitest.Capturer{Functions: 1}, nil)
	c := client.New(dial)
	defer c.Close()
	var ids []string
	for range server.MaxFinished + 2 {
		ids = append(ids, api.NewCaptureID())
		if _, err := c.Profile(t.Context(), api.Request{Type: api.CPU, Capture: ids[len(ids)-1], Duration: time.Millisecond, Frequency: 99}); err != nil {
			t.Fatal(err)
		}
	}
	// A finished capture is counted a moment after its result was sent.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		var kept []int
		for i, id := range ids {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/stop?capture="+id, nil))
			if w.Code == http.StatusNoContent {
				kept = append(kept, i)
			}
		}
		if len(kept) == server.MaxFinished && kept[0] > 0 && kept[len(kept)-1] == len(ids)-1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("of %d results these are kept: %v, want the newest %d", len(ids), kept, server.MaxFinished)
		}
	}
}
