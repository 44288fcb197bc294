//go:build linux

package golang

import (
	"errors"
	"testing"
)

// Versions and experiments with unknown layouts are refused.
func TestCheckVersion(t *testing.T) {
	for version, want := range map[string]int{
		"go1.18.10": 18, "go1.19.13": 19, "go1.20": 20, "go1.22.3": 22, "go1.26.8": 26, "go1.27.3": 27, "go1.25rc1": 25, "go1.24.1 X:nocoverageredesign": 24, "go1.23.4-vendor X:boringcrypto": 23,
		"go1.17.13": 0, "go1.28": 28, "go1.99.1": 99, "devel go1.28-abc": 0, "": 0, "go2.1": 0, "unknown": 0,
		"go1.24.1 X:nospinbitmutex": 0, "go1.22.1 X:boringcrypto,noexectracer2": 0, "go1.26.0 X:staticlockranking": 0, "go1.26.8-X:staticlockranking": 0, "go1.26.8-X:goroutineleakprofile,nospinbitmutex": 0,
		"go1.26.8-X:goroutineleakprofile": 26, "go1.27.3-vendor X:noexectracer2": 0, "go1.28 X:staticlockranking": 0,
	} {
		got, _, err := checkVersion(version)
		if got != want || (want == 0) != errors.Is(err, ErrUnsupported) {
			t.Errorf("%q: %d, %v; want %d", version, got, err, want)
		}
	}
}
