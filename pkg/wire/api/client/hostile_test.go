package client

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/server"
)

// clientOf returns a client of a profiler that answers every request with the given body.
func clientOf(t *testing.T, body []byte) *Client {
	t.Helper()
	s := server.New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Repr-Digest", api.FormatDigest(sha256.Sum256(body)))
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	}))
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	go s.Serve(l)
	c := New(l.dial)
	t.Cleanup(func() { c.Close(); s.Close() })
	return c
}

// A small answer that unpacks to much more is refused before it has cost much memory.
func TestAnswersThatUnpackToMuchMore(t *testing.T) {
	for name, content := range map[string][]byte{
		"zeros":   make([]byte, 200<<20),
		"samples": bytes.Repeat([]byte{2<<3 | 2, 0}, 20<<20),
		"labels":  append([]byte{2<<3 | 2, 0x80, 0x80, 0x80, 0x10}, bytes.Repeat([]byte{3<<3 | 2, 0}, 16<<20)...),
	} {
		t.Run(name, func(t *testing.T) {
			var packed bytes.Buffer
			z := gzip.NewWriter(&packed)
			z.Write(content)
			z.Close()
			content = nil
			c := clientOf(t, packed.Bytes())
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := c.Profile(t.Context(), api.Request{Type: api.CPU, Duration: time.Second, Frequency: 99})
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), "the profiler sent an unreadable profile") {
				t.Errorf("got %v", err)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 512<<20 {
				t.Errorf("%d MiB were allocated for an answer of %d KiB", n>>20, packed.Len()>>10)
			}
		})
	}
}

func TestSlicesWithoutEnd(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	count := 0
	err := clientOf(t, []byte(`{"number":1}`)).Slices(ctx, "x", func([]byte) error { count++; return nil })
	if err == nil || !strings.Contains(err.Error(), "more than 4000 slices") || count != maxSlices {
		t.Errorf("%d slices: %v", count, err)
	}
}
