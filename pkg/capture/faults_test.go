package capture_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/capture"
)

func TestFaults(t *testing.T) {
	needRoot(t)
	s := startWithPipes(t, "/tmp/oc/faults")
	run := func(n int) (ns float64) {
		fmt.Fprintln(s.stdin, n)
		l, _ := s.stdout.ReadString('\n')
		fmt.Sscan(l, &ns)
		return
	}
	run(10000)
	for _, hz := range []int{99, 999} {
		for _, n := range []int{10, 1000, 10000, 100000} {
			t.Logf("n %d", n)
			w := run(n)
			done := make(chan bool)
			go func() {
				time.Sleep(800 * time.Millisecond)
				for range 3 {
					p := run(n)
					a := run(0)
					_ = a
					t.Logf("without %.3f with %.3f", w/1e6, p/1e6)
				}
				close(done)
			}()
			p := take(t, s, capture.NewFaults, capture.Options{Frequency: hz}, 4*time.Second)
			<-done
			var one, three, all, n2 int64
			for _, s := range p.Sample {
				t.Log(s.Value, names(s))
				all += s.Value[0]
				n2++
				_ = one
				_ = three
			}
			t.Logf("%d Hz: %d faults, want %d", hz, all, 3*8*n)
			t.Log(p.Comments)
			for range 3 {
				t.Logf("without again %.3f", run(n)/1e6)
			}
		}
	}
}
