package render

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// goroutine adds a stack, root first, with the labels of a goroutine profile.
func (b *builder) goroutine(pid, count int64, stack, state, reason, creator string) *profile.Sample {
	b.add(pid, count, stack)
	s := b.Sample[len(b.Sample)-1]
	s.Value = s.Value[:1]
	s.Label[meta.StateLabel.Name()] = []string{state}
	if reason != "" {
		s.Label[meta.WaitReasonLabel.Name()] = []string{reason}
	}
	if creator != "" {
		s.Label[meta.CreatedByLabel.Name()], s.Label[meta.CreatedAtLabel.Name()] = []string{creator}, []string{"/src/" + creator + ".go:12"}
	}
	return s
}

func goroutineBuilder() *builder {
	b := newBuilder()
	b.SampleType = []*profile.ValueType{{Type: "goroutine", Unit: "count"}}
	b.DefaultSampleType, b.PeriodType, b.Period = "goroutine", b.SampleType[0], 1
	b.Comments = []string{"type: goroutine", "pod: prod/shop-7d9f"}
	return b
}

func TestTracebacks(t *testing.T) {
	groups := goroutineBuilder()
	groups.goroutine(1, 1, "runtime.main;main.main;time.Sleep;runtime.gopark", "waiting", "sleep", "")
	groups.goroutine(1, 12, "main.worker;runtime.chanrecv1;runtime.chanrecv;runtime.gopark", "waiting", "chan receive", "main.start[...]")
	labelled := groups.goroutine(1, 2, "main.serve;internal/poll.(*FD).Read;runtime.gopark", "waiting", "IO wait", "net/http.(*Server).Serve")
	labelled.Label["path"], labelled.Label[meta.StateLabel.Name()] = []string{"/a\"b"}, []string{"waiting", "its own"}
	groups.goroutine(1, 3, "main.lost;runtime.chanrecv1;runtime.chanrecv;runtime.gopark", meta.LeakedState, "chan receive", "main.start")
	groups.goroutine(1, 1, "main.lost;runtime.gopark", meta.LeakedState, "", "main.start")
	groups.goroutine(7, 1, "[running]", "running", "", "main.main")
	groups.goroutine(7, 3, "runtime.gopark", "waiting", "finalizer wait", "")

	each := goroutineBuilder()
	for id, reason := range map[int64]string{18: "chan receive", 3: "select", 20: "sync.Mutex.Lock"} {
		s := each.goroutine(1, 1, "main.worker;runtime.gopark", "waiting", reason, "main.pool[go.shape.int].start")
		s.NumLabel[meta.GoroutineLabel.Name()], s.NumLabel[meta.ParentLabel.Name()], s.NumLabel[meta.WaitLabel.Name()] = []int64{id}, []int64{1}, []int64{id * 10}
	}

	bad := goroutineBuilder()
	bad.goroutine(1, 1, "a\x1b[31mred\x00.f;\xff\xfe", "wait\x1bing", "\x9b0m", "cr\neator").Label["k\x07"] = []string{"v\r"}

	for name, p := range map[string]*profile.Profile{"goroutines": groups.Profile, "each-goroutine": each.Profile, "hostile-goroutines": bad.Profile} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := Write(&got, p, Text); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("differs from %s (run with -update if this is intended):\n%s", golden, got.Bytes())
			}
		})
	}
}
