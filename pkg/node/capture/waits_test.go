//go:build linux

package capture

import (
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/symbol"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// The frames above the scheduler's go, whichever they are; a stack without it stays.
func TestWithoutTrace(t *testing.T) {
	for _, c := range []struct {
		name        string
		stack, want []uint64
	}{
		{"program, tracepoint, __schedule", []uint64{900, 910, 150, 300, 400}, []uint64{300, 400}},
		{"the call is the last instruction", []uint64{900, 200, 300}, []uint64{300}},
		{"the function before", []uint64{900, 100, 300}, []uint64{900, 100, 300}},
		{"deeper", []uint64{1, 2, 3, 4, 5, 6, 7, 8, 150}, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 150}},
		{"none", nil, nil},
	} {
		if got := withoutTrace(c.stack, 100, 200); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// waitedRecord is as the BPF program sends it.
func waitedRecord(serial uint64, count uint32, ns uint64) []byte {
	var r bpf.CPUWaitedRecord
	raw := make([]byte, unsafe.Sizeof(r))
	order := binary.NativeEndian
	order.PutUint32(raw[unsafe.Offsetof(r.Kind):], uint32(bpf.CPURecordKindRECORD_WAITED))
	order.PutUint32(raw[unsafe.Offsetof(r.Count):], count)
	order.PutUint64(raw[unsafe.Offsetof(r.Serial):], serial)
	order.PutUint64(raw[unsafe.Offsetof(r.Time):], ns)
	return raw
}

// What was waited is added once, however often it is read; what has no stack is lost, and said to be.
func TestWaitsAreAddedOnce(t *testing.T) {
	c := &Sampler{stacks: newStackTable()}
	c.waits = &waits{known: map[uint64]*wait{}, groups: map[uint64]*group{}}
	g := &generation{id: 1}
	e := c.stacks.find(g, nil, []uint64{1}, complete, "", nil)
	c.waits.came(&sample{serial: 5, group: 5}, e, true)
	c.waits.came(&sample{serial: 6, group: 6}, nil, true)  // there was no room for its stack
	c.waits.came(&sample{serial: 7, group: 7}, nil, false) // of another process
	one := c.waits.known[5]
	c.waits.add(c, one, amount{2, 100})
	c.waits.add(c, one, amount{2, 100})
	c.waits.add(c, one, amount{2, 90}) // the map was read while it changed
	c.keep(waitedRecord(5, 3, 150))
	c.keep(waitedRecord(6, 1, 10))
	c.keep(waitedRecord(7, 1, 20))
	c.keep(waitedRecord(8, 1, 40)) // its stack found no room in the ring buffer
	c.keep(waitedRecord(9, 1, 40)[:12])
	if want := (amount{3, 150}); e.total != want {
		t.Errorf("the stack has %+v, want %+v", e.total, want)
	}
	if want := (amount{2, 50}); c.waits.lost != want {
		t.Errorf("lost %+v, want %+v", c.waits.lost, want)
	}
	if len(c.waits.known) != 0 || c.kept.Load() != 3 || c.stacks.dropped != 1 {
		t.Errorf("%d stacks are still known, %d waits kept, %d records refused", len(c.waits.known), c.kept.Load(), c.stacks.dropped)
	}
}

// What is waited without a stack goes to the stacks of its group by what these waited, once there are enough of them.
func TestWaitsAreSharedOut(t *testing.T) {
	c := &Sampler{stacks: newStackTable()}
	c.waits = &waits{known: map[uint64]*wait{}, groups: map[uint64]*group{}}
	owner := &generation{id: 1}
	short := c.stacks.find(owner, nil, []uint64{1}, complete, "", nil)
	long := c.stacks.find(owner, nil, []uint64{2}, complete, "", nil)
	for serial := uint64(1); serial <= 30; serial++ {
		e, ns := short, uint64(100)
		if serial > 20 {
			e, ns = long, 1800
		}
		c.waits.came(&sample{serial: serial, group: 1, byChance: true}, e, true)
		c.keep(waitedRecord(serial, 1, ns))
	}
	first := c.stacks.find(owner, nil, []uint64{3}, complete, "", nil) // walked because it was the first, not by chance
	c.waits.came(&sample{serial: 31, group: 1}, first, true)
	c.keep(waitedRecord(31, 1, 100_000))
	g := c.waits.groups[1]
	c.waits.addRest(c, g, amount{300, 200_000})
	c.waits.addRest(c, g, amount{300, 199_000}) // the map was read while it changed
	if short.total.count != 20 || long.total.count != 10 || g.chosen.waits != 30 {
		t.Errorf("%+v and %+v of %d waits before anything is shared out", short.total, long.total, g.chosen.waits)
	}
	rest := waitedRecord(1, 3000, 2_000_001)
	binary.NativeEndian.PutUint32(rest, uint32(bpf.CPURecordKindRECORD_REST))
	c.keep(rest)
	if want := (amount{20 + 2000, 2000 + 200_000}); short.total != want {
		t.Errorf("the short waits have %+v, want %+v", short.total, want)
	}
	if want := (amount{10 + 1000, 18_000 + 1_800_001}); long.total != want {
		t.Errorf("the long waits have %+v, want %+v", long.total, want)
	}
	if want := (amount{1, 100_000}); first.total != want {
		t.Errorf("the first wait has %+v, want %+v", first.total, want)
	}
	c.keep(rest) // its group has ended
	if want := (amount{3000, 2_000_001}); c.waits.lost != want || len(c.waits.groups) != 0 {
		t.Errorf("lost %+v, want %+v; %d groups", c.waits.lost, want, len(c.waits.groups))
	}
}

// What is known of a place goes when the place does, whether its waits were told or found no room.
func TestPlacesAreForgotten(t *testing.T) {
	c := &Sampler{stacks: newStackTable(), waits: &waits{known: map[uint64]*wait{}, groups: map[uint64]*group{}}}
	e := &stackEntry{}
	for serial := uint64(10); serial < 1000; serial += 10 {
		for again := range uint64(3) { // of which the sums of the first two are lost
			c.waits.came(&sample{serial: serial + again, group: serial}, e, serial%20 == 0)
		}
		rest := waitedRecord(serial, 0, 0)
		binary.NativeEndian.PutUint32(rest, uint32(bpf.CPURecordKindRECORD_REST))
		c.keep(rest)
	}
	if len(c.waits.known) != 0 || len(c.waits.groups) != 0 || c.waits.lost != (amount{}) {
		t.Errorf("%d waits and %d groups are still known, %+v lost", len(c.waits.known), len(c.waits.groups), c.waits.lost)
	}
	for serial := range uint64(2 * maxGroups) {
		c.waits.came(&sample{serial: serial, group: serial}, e, true)
	}
	if len(c.waits.groups) > maxGroups || len(c.waits.known) > maxGroups {
		t.Errorf("%d groups are known", len(c.waits.groups))
	}
}

// offCPUOf prepares a profile of a workload.
func offCPUOf(t *testing.T, workload string) (id string, c *Sampler) {
	t.Helper()
	need.Root(t)
	id, _ = startTarget(t, workload)
	c, err := NewOffCPU(Options{ContainerID: id})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return id, c
}

// Threads that end leave nothing, and those that do not only as much as they have places.
func TestShortThreadsAreForgotten(t *testing.T) {
	id, c := offCPUOf(t, "nap")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		out, err := exec.Command("/bin/sh", "-c", `echo $$ > "$0"; for i in $(seq 1000); do /bin/true; done; echo $$ > "$1"`,
			filepath.Join(cgroupRoot(), "capture-test", id, "cgroup.procs"), filepath.Join(cgroupRoot(), "cgroup.procs")).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}()
	if _, err := c.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if n := len(c.waits.groups); n > 200 {
		t.Errorf("%d places are known after 1,000 processes have ended", n)
	}
}

func TestAddState(t *testing.T) {
	groups := map[string]bool{}
	for _, c := range []struct {
		s    sample
		want string
	}{
		{sample{}, "running"},
		{sample{serial: 1}, "unknown"},
		{sample{serial: 1, state: bpf.CPUWaitStateWAIT_RUNNABLE}, "runnable"},
		{sample{serial: 1, state: bpf.CPUWaitStateWAIT_SLEEPING}, "sleeping"},
		{sample{serial: 1, state: bpf.CPUWaitStateWAIT_BLOCKED}, "blocked"},
		{sample{serial: 1, state: bpf.CPUWaitStateWAIT_STOPPED}, "stopped"},
	} {
		group, labels := addState(&c.s, "group", []label{{key: "request", value: "slow"}})
		if len(labels) != 2 || labels[0] != (label{key: "state", value: c.want}) || groups[group] {
			t.Errorf("%s: labels %+v, group %q", c.want, labels, group)
		}
		groups[group] = true
	}
}

// The stacks of goroutines that wait in the kernel have their functions and labels. Slices are what the whole is.
func TestOffCPUOfGo(t *testing.T) {
	_, c := offCPUOf(t, "nap")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	sliced := make(chan float64, 1)
	go func() {
		total := 0.0
		for ctx.Err() == nil {
			time.Sleep(500 * time.Millisecond)
			r, err := c.Slice()
			if err != nil {
				t.Error(err)
				break
			}
			if r != nil && ctx.Err() == nil {
				for _, s := range r.Profile.Sample {
					if s.Value[1] < 0 || s.Value[0] < 0 {
						t.Errorf("a slice has values %v", s.Value)
					}
					total += float64(s.Value[1]) / 1e9
				}
			}
		}
		sliced <- total
	}()
	r, err := c.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if p := c.Progress(); p.Samples == 0 || p.Processes != 1 {
		t.Errorf("progress %+v", p)
	}
	if err := symbol.Symbolize(r.Profile, r.File, r.PerfMap); err != nil {
		t.Fatal(err)
	}
	whole := time.Duration(r.Profile.DurationNanos).Seconds()
	all, napping := 0.0, 0.0
	for _, s := range r.Profile.Sample {
		seconds := float64(s.Value[1]) / 1e9
		all += seconds
		if stack := functions(s); strings.Contains(stack, "capture.nap,") && strings.Contains(stack, "runtime/pprof.Do,") && slices.Equal(s.Label["request"], []string{"slow"}) {
			napping += seconds
		}
	}
	if napping < 0.9*whole || napping > 1.01*whole {
		for _, s := range r.Profile.Sample {
			t.Log(s.Value, s.Label, functions(s))
		}
		t.Errorf("the goroutine that naps does so for %.3f s of %.3f", napping, whole)
	}
	// What came after the last slice is in none.
	if total := <-sliced; total < 0.6*all || total > all {
		t.Errorf("slices have %.3f s of %.3f", total, all)
	}
}

func functions(s *profile.Sample) string {
	var b strings.Builder
	for _, l := range s.Location {
		for _, line := range l.Line {
			b.WriteString(line.Function.Name + ",")
		}
	}
	return b.String()
}

// A stack is copied to its end, which may be anywhere.
func TestCopyStack(t *testing.T) {
	const page = 4096
	memory := make([]byte, 64*page)
	for i := range memory {
		memory[i] = byte(i / page)
	}
	begin := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(memory))))
	room := make([]byte, 16*page)
	if n := copyStack(os.Getpid(), begin+8, room); n != len(room) || !slices.Equal(room, memory[8:8+len(room)]) {
		t.Errorf("copied %d bytes of %d", n, len(room))
	}
	if n := copyStack(os.Getpid(), 8, room); n != 0 {
		t.Errorf("copied %d bytes from where nothing is", n)
	}
}
