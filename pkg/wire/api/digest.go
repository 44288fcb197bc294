package api

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

// Repr-Digest is a dictionary of byte sequences (RFC 9530, section 3; RFC 8941, section 3.3.5).
const (
	digestPrefix = "sha-256=:"
	digestSuffix = ":"
)

// FormatDigest returns the Repr-Digest header of a body with the given SHA-256.
func FormatDigest(sum [sha256.Size]byte) string {
	return digestPrefix + base64.StdEncoding.EncodeToString(sum[:]) + digestSuffix
}

// ParseDigest returns the SHA-256 in a Repr-Digest header, which may hold other digests as well.
func ParseDigest(header string) ([sha256.Size]byte, error) {
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
