package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// result is a finished profile as it goes over the wire.
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

// serve answers with the result or the range of it that was asked for.
func (r *result) serve(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream") // as net/http/pprof says
	h.Set("ETag", `"`+hex.EncodeToString(r.digest[:])+`"`)
	h.Set("Repr-Digest", formatDigest(r.digest))
	http.ServeContent(pieces{w}, req, "", time.Time{}, bytes.NewReader(r.data))
}

// pieceSize is how many bytes go into a frame of HTTP/2: of one that a broken stream cut, nothing arrives.
const pieceSize = 1 << 10

// pieces writes a body in frames of pieceSize.
type pieces struct{ http.ResponseWriter }

func (w pieces) Write(p []byte) (n int, err error) {
	for err == nil && n < len(p) {
		var m int
		m, err = w.ResponseWriter.Write(p[n:min(n+pieceSize, len(p))])
		n += m
	}
	return n, err
}

// Repr-Digest is a dictionary of byte sequences (RFC 9530, section 3; RFC 8941, section 3.3.5).
const (
	digestPrefix = "sha-256=:"
	digestSuffix = ":"
)

func formatDigest(sum [sha256.Size]byte) string {
	return digestPrefix + base64.StdEncoding.EncodeToString(sum[:]) + digestSuffix
}

func parseDigest(header string) ([sha256.Size]byte, error) {
	for member := range strings.SplitSeq(header, ",") {
		encoded, ok := strings.CutPrefix(strings.TrimSpace(member), digestPrefix)
		if !ok {
			continue
		}
		sum, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(encoded, digestSuffix))
		if err == nil && len(sum) == sha256.Size {
			return [sha256.Size]byte(sum), nil
		}
	}
	return [sha256.Size]byte{}, errors.New("the profiler's answer has no sha-256 digest")
}
