package server_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/internal/apitest"
)

func TestSlicesAreRequestedInOrder(t *testing.T) {
	h, _ := apitest.Serve(t, &apitest.Capturer{Functions: 1}, nil)
	defer h.Abandon()
	request := func(method, target string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, target, nil))
		return w
	}
	done := make(chan int)
	go func() { done <- request(http.MethodGet, "/debug/pprof/profile?seconds=60&capture=a").Code }()
	if w := request(http.MethodGet, "/slice?capture=a&number=2"); w.Code != http.StatusBadRequest {
		t.Errorf("the second slice before the first: status %d", w.Code)
	}
	first := request(http.MethodGet, "/slice?capture=a&number=1")
	if first.Code != http.StatusOK {
		t.Fatalf("the first slice: status %d: %s", first.Code, first.Body)
	}
	if again := request(http.MethodGet, "/slice?capture=a&number=1"); again.Header().Get("ETag") != first.Header().Get("ETag") {
		t.Errorf("the first slice requested again: status %d, another slice", again.Code)
	}
	if w := request(http.MethodPost, "/stop?capture=a"); w.Code != http.StatusNoContent {
		t.Errorf("stop: status %d", w.Code)
	}
	if code := <-done; code != http.StatusOK {
		t.Errorf("the profile: status %d", code)
	}
	if w := request(http.MethodGet, "/slice?capture=a&number=2"); w.Code != http.StatusNoContent {
		t.Errorf("a slice after the end: status %d", w.Code)
	}
}
