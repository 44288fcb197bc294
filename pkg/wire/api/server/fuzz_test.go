package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/internal/apitest"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/server"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

// FuzzHandler sends arbitrary requests.
func FuzzHandler(f *testing.F) {
	for _, seed := range [][3]string{
		{"GET", "/debug/pprof/profile?seconds=0.001", ""}, {"GET", "/progress?capture=x", ""}, {"GET", "/slice?capture=x&number=2", ""},
		{"POST", "/stop?capture=%zz", ""}, {"POST", "/exit?force=1", ""}, {"GET", "/debug/pprof/profile?seconds=0.001", "bytes=5-2"},
		{"PUT", "/version", ""}, {"GET", "//debug/../version", "bytes=99999999999999999999-"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, method, target, ranges string) {
		fuzzbudget.Enforce(t)
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Query().Has("seconds") && u.Query().Get("seconds") != "0.001" {
			return // it would sample for as long
		}
		h := server.NewHandler(&apitest.Capturer{Functions: 3}, api.Version{}, func(bool) bool { return true })
		defer h.Abandon()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		req := (&http.Request{Method: method, URL: u, Header: http.Header{"Range": {ranges}, "If-Match": {ranges}}}).WithContext(ctx)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code < 200 || w.Code > 599 {
			t.Fatalf("%s %s gave status %d", method, target, w.Code)
		}
		if w.Code < 400 || w.Header().Get("Content-Type") != "application/json" {
			return
		}
		var refusal api.Error
		if err := json.Unmarshal(w.Body.Bytes(), &refusal); err != nil || refusal.Message == "" {
			t.Fatalf("%s %s was refused without a reason: %s", method, target, w.Body)
		}
	})
}
