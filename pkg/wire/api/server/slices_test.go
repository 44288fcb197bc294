package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/internal/apitest"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/server"
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

// A slice can be had each second, so that a profiler that is killed loses little.
func TestSlicesAreASecondApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := server.NewHandler(&apitest.Capturer{Functions: 1}, api.Version{}, nil) // without connections, which need real time
		defer h.Abandon()
		request := func(method, target string) int {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, target, nil))
			return w.Code
		}
		done := make(chan int)
		go func() { done <- request(http.MethodGet, "/debug/pprof/profile?seconds=60&capture=a") }()
		synctest.Wait()
		began := time.Now()
		for n := 1; n <= 10; n++ {
			code := request(http.MethodGet, fmt.Sprintf("/slice?capture=a&number=%d", n))
			if took, want := time.Since(began), time.Duration(n)*time.Second; code != http.StatusOK || took > want+100*time.Millisecond {
				t.Errorf("slice %d: status %d after %v", n, code, took)
			}
		}
		request(http.MethodPost, "/stop?capture=a")
		if code := <-done; code != http.StatusOK {
			t.Errorf("the profile: status %d", code)
		}
	})
}

// No slice is made shortly before the end of the capture: the profile would have to wait for it.
func TestNoSliceBeforeTheEnd(t *testing.T) {
	c := &apitest.Capturer{Functions: 1}
	h, _ := apitest.Serve(t, c, nil)
	defer h.Abandon()
	request := func(target string) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil))
		return w.Code
	}
	done := make(chan int)
	go func() { done <- request("/debug/pprof/profile?seconds=1&capture=a") }()
	if code := request("/slice?capture=a&number=1"); code != http.StatusNoContent {
		t.Errorf("a slice at the end: status %d, want 204", code)
	}
	if code := <-done; code != http.StatusOK {
		t.Errorf("the profile: status %d", code)
	}
	if n := c.Slices.Load(); n != 0 {
		t.Errorf("%d slices were made", n)
	}
}
