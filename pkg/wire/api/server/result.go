package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// result is an encoded profile or slice.
type result struct {
	data   []byte // gzipped pprof, or what slice.Encode returns
	digest [sha256.Size]byte
	steps  []api.Step // that led to the profile
}

// encode encodes a profile, to which the given steps have led.
func encode(p *profile.Profile, steps []api.Step) (*result, error) {
	began := time.Now()
	var buf bytes.Buffer
	if err := p.Write(&buf); err != nil {
		return nil, err
	}
	if len(steps) > 0 {
		steps = append(steps, api.Step{Name: "encoding", Took: time.Since(began)})
	}
	return &result{data: buf.Bytes(), digest: sha256.Sum256(buf.Bytes()), steps: steps}, nil
}

// serve writes the result, or the range of it that the request names.
func (r *result) serve(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream") // as net/http/pprof sets it
	h.Set("ETag", `"`+hex.EncodeToString(r.digest[:])+`"`)
	h.Set("Repr-Digest", api.FormatDigest(r.digest))
	if len(r.steps) > 0 {
		h.Set(api.TimingHeader, api.FormatTiming(r.steps))
	}
	http.ServeContent(pieces{w}, req, "", time.Time{}, bytes.NewReader(r.data))
}

// pieceSize is the payload of an HTTP/2 frame, in bytes. Of a frame that a broken stream cuts, nothing arrives.
const pieceSize = 1 << 10

// pieces writes a body in frames of pieceSize bytes.
type pieces struct{ http.ResponseWriter }

func (w pieces) Write(p []byte) (n int, err error) {
	for err == nil && n < len(p) {
		var m int
		m, err = w.ResponseWriter.Write(p[n:min(n+pieceSize, len(p))])
		n += m
	}
	return n, err
}
