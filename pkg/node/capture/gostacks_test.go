//go:build linux

package capture_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// The layouts and the assembly of Go's runtime change, so programs built with several versions are sampled.
var goVersions = []struct{ name, flags string }{
	{"go1.18.10", ""}, {"go1.19.13", ""}, {"go1.20.14", ""}, {"go1.21.13", ""}, {"go1.22.12", ""}, {"go1.23.12", ""}, {"go1.24.13", ""}, {"go1.25.7", "-buildmode=pie"},
	{"go1.27.3", ""}, {"local", "-buildmode=pie"}, {"local", ""},
}

// Stacks of Go programs are unwound across the switches between a goroutine's stack, its thread's system stack and C
// stacks, and have the goroutine's labels.
func TestGoStacks(t *testing.T) {
	need.Root(t)
	versions := goVersions
	if testing.Short() {
		versions = versions[len(versions)-1:]
	}
	cases := []struct {
		source, workload string
		// Nearly all samples whose stack contains part, or one of several parts, must contain whole. Both are function names
		// from leaf to root, separated by commas and followed by labels.
		checks []check
	}{
		{"gostacks", "allocate", []check{
			{"runtime.mallocgc,", "main.allocate,main.main,runtime.main,"},
			{"runtime.systemstack,runtime.gcStart,|runtime.systemstack,runtime.gcAssistAlloc,|runtime.systemstack,runtime.(*mheap).alloc,",
				"main.allocate,main.main,runtime.main,"},
		}},
		{"gostacks", "grow", []check{{"runtime.copystack,runtime.newstack,", "runtime.newstack,main.grow,main.grow,"}}},
		{"gostacks", "hash", []check{{"sha256.block", "main.hash,main.main,runtime.main,"}}},
		{"gostacks", "clock", []check{{"clock_gettime,", "main.clock,main.main,runtime.main,"}}},
		{"gostacks", "labelled", []check{
			{"main.burn,main.labelled.func1,", "runtime/pprof.Do, request=slow tenant=a-name-that-is-rather-long-but-has-room type=ELF"},
			{"main.burn,main.labelled.func2,", "runtime/pprof.Do,main.labelled,main.main,runtime.main, request=fast"},
			{"main.burn,main.labelled,", "main.burn,main.labelled,main.main,runtime.main,  end"},
		}},
		{"cgostacks", "", []check{
			{"c_burn,", "c_burn,c_work,runtime.asmcgocall,runtime.cgocall,main._Cfunc_c_work,main.viaC,main.labelled.func1,runtime/pprof.Do,main.labelled,main.main,runtime.main,"},
			{"main.burnGo,", "main.goCallback,"},
			{"c_burn,", " request=cgo end"},
			{"main.burnGo,", ",runtime.cgocallback,crosscall2,goCallback,c_call_back,runtime.asmcgocall,runtime.cgocall,main._Cfunc_c_call_back,main.viaCallback,main.main,runtime.main,"},
		}},
	}
	for _, version := range versions {
		t.Run(version.name+version.flags, func(t *testing.T) {
			programs := map[string]string{}
			for _, source := range []string{"gostacks", "cgostacks"} {
				programs[source] = buildGo(t, version.name, version.flags, source)
			}
			for _, c := range cases {
				name := c.source + "/" + c.workload
				t.Run(strings.TrimSuffix(name, "/"), func(t *testing.T) {
					p := profileOf(t, 499, 600*time.Millisecond, programs[c.source], c.workload)
					for _, check := range c.checks {
						check.of(t, p)
					}
					expectComplete(t, p)
				})
			}
		})
	}
}

type check struct{ part, whole string }

func (c check) of(t *testing.T, p *profile.Profile) {
	t.Helper()
	with, right := int64(0), int64(0)
	var wrong string
	for _, s := range p.Sample {
		stack := names(s) + " " + labels(s) + " end"
		switch {
		case !slices.ContainsFunc(strings.Split(c.part, "|"), func(part string) bool { return strings.Contains(stack, part) }):
		case strings.Contains(stack, c.whole):
			with += s.Value[0]
			right += s.Value[0]
		default:
			with += s.Value[0]
			wrong = stack
		}
	}
	if with == 0 || float64(with-right) > max(2, 0.05*float64(with)) {
		t.Errorf("%d of %d stacks with %s have %s; one is %s", right, with, c.part, c.whole, wrong)
	}
}

// labels formats a sample's labels without those that every sample has.
func labels(s *profile.Sample) string {
	var all []string
	for _, key := range []string{"request", "tenant", "type"} {
		if v := s.Label[key]; len(v) > 0 {
			all = append(all, key+"="+strings.Join(v, "|"))
		}
	}
	return strings.Join(all, " ")
}
