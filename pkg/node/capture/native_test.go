//go:build linux

package capture_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// C code without frame pointers is unwound completely, through the C library, signal handlers and the vDSO. A stack that
// cannot be unwound is marked as broken and has no wrong frames.
func TestNativeStacks(t *testing.T) {
	need.Root(t)
	program := compileC(t, "testdata/native.c", "-O2", "-fomit-frame-pointer", "-g", "-pthread", "-Wno-unused-result")
	static := compileC(t, "testdata/native.c", "-O2", "-fomit-frame-pointer", "-g", "-pthread", "-static")
	// Debian's musl has neither unwind tables nor frame pointers.
	musl := compileWith(t, "musl-gcc", "testdata/native.c", "-O2", "-fomit-frame-pointer", "-g", "-pthread", "-fasynchronous-unwind-tables")
	cases := []struct {
		name, program, workload string
		chain                   string // expected frames from leaf to root, separated by commas
		broken                  bool
	}{
		{"chain", program, "deep", "burn,link1,link2,link3,link4,link5,deep,main,__libc_start_call_main,", false},
		{"chain, static", static, "deep", "burn,link1,link2,link3,link4,link5,deep,main,", false},
		{"thread", program, "thread", "burn,link1,link2,link3,link4,link5,deep,run,", false},
		{"through the C library", program, "callback", "burn,compare,", false},
		{"signal handler", program, "signal", "burn,link1,link2,handler,__restore_rt,interrupted,by_signal,main,", false},
		{"aligned stack", program, "aligned", "burn,link1,aligned,main,", false},
		{"vDSO", program, "vdso", ",vdso,main,", false},
		{"through musl", musl, "callback", "burn,compare,[libc.so+", true},
		{"undescribed code", program, "undescribed", "burn,burn_for_asm,undescribed,[broken stack],", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := profileOf(t, 499, 700*time.Millisecond, c.program, c.workload)
			total, right, ended := int64(0), int64(0), int64(0)
			for _, s := range p.Sample {
				stack := names(s)
				n := s.Value[0]
				total += n
				if strings.Contains(stack, c.chain) {
					right += n
				}
				if strings.HasSuffix(stack, "[broken stack],") == c.broken {
					ended += n
				} else {
					t.Logf("%d times %s", n, stack)
				}
			}
			if advised := strings.Contains(strings.Join(p.Comments, "\n"), "advice: "); c.broken && !advised {
				t.Errorf("the comments contain no advice: %q", p.Comments)
			}
			if total < 100 || float64(ended) < 0.97*float64(total) || float64(right) < 0.9*float64(total) {
				for _, s := range p.Sample[:min(10, len(p.Sample))] {
					t.Logf("%d times %s", s.Value[0], names(s))
				}
				t.Errorf("of %d samples %d have the frames %s and %d end as they should; %q", total, right, c.chain, ended, p.Comments)
			}
		})
	}
}
