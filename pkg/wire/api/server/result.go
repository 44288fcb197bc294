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

// result is an encoded profile.
type result struct {
	data   []byte // gzipped pprof
	digest [sha256.Size]byte
}

func encode(p *profile.Profile) (*result, error) {
	var buf bytes.Buffer
	if err := p.Write(&buf); err != nil {
		return nil, err
	}
	return &result{data: buf.Bytes(), digest: sha256.Sum256(buf.Bytes())}, nil
}

// serve writes the result, or the range of it that the request names.
func (r *result) serve(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream") // as net/http/pprof sets it
	h.Set("ETag", `"`+hex.EncodeToString(r.digest[:])+`"`)
	h.Set("Repr-Digest", api.FormatDigest(r.digest))
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
