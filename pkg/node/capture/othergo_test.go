//go:build linux

package capture_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang/profiles"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// Programs built by another compiler of Go are refused by the compiler's name.
func TestHeapOfOtherGoCompilers(t *testing.T) {
	need.Root(t)
	for compiler, flags := range map[string][]string{
		"gccgo":  {"-DGCCGO", "-s"},
		"TinyGo": {"-static"},
	} {
		t.Run(compiler, func(t *testing.T) {
			s := start(t, compileC(t, "testdata/othergo.c", flags...))
			_, err := runProfile(t, profiles.NewHeap, capture.Options{ContainerID: s.id}, time.Minute)
			if !errors.Is(err, profiles.ErrNoGo) || strings.Count(err.Error(), "it is built by "+compiler+", ") != 1 {
				t.Errorf("got %v", err)
			}
		})
	}
}
