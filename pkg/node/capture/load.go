//go:build linux

package capture

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

// mapped tells the BPF program how to unwind a process. Where that cannot be done its stacks are walked by
// frame pointers, and those are cut that code without them would spoil.
func (c *Sampler) mapped(p program, pid int, mappings []mapping) {
	if c.ranges.set(p, pid, mappings) != nil {
		c.unranged++
	}
}

func (c *Sampler) load(t *target) error {
	if !t.mayReadKernel {
		keepProbeReadUser()
	}
	cpus, err := onlineCPUs()
	if err != nil {
		return err
	}
	size := ringBytes(len(cpus))
	dev, ino, err := pidNamespace()
	if err != nil {
		return err
	}
	// The same in all of the programs.
	variables := map[string]any{
		bpf.CPUVarCgroupV2: boolean(t.unified), bpf.CPUVarMayReadKernel: boolean(t.mayReadKernel),
		bpf.CPUVarTargetCgroup: t.cgroup, bpf.CPUVarPidnsLevel: t.ownLevel,
		bpf.CPUVarPidnsDev: dev, bpf.CPUVarPidnsIno: ino, bpf.CPUVarWakeupBytes: size / 4,
	}
	prepare := func(spec *ebpf.CollectionSpec, err error) (*ebpf.CollectionSpec, error) {
		if err != nil {
			return nil, explain("load the BPF program", err)
		}
		spec.Maps[bpf.CPUMapSamples].MaxEntries = size
		return spec, setVariables(spec, variables)
	}
	if c.plan.event != nil {
		spec, err := prepare(bpf.LoadCPU())
		if err != nil {
			return err
		}
		if err := setVariables(spec, map[string]any{bpf.CPUVarStepSamples: c.plan.stepSamples}); err != nil {
			return err
		}
		if err := c.loadEvents(spec); err != nil {
			return explain("load the BPF program", verified(err))
		}
	}
	if c.plan.waits {
		spec, err := prepare(bpf.LoadWaits())
		if err != nil {
			return err
		}
		if err := c.loadWaits(spec); err != nil {
			return explain("load the BPF program for switches of threads", verified(err))
		}
	}
	if c.reader, err = ringbuf.NewReader(c.maps.Samples); err != nil {
		return explain("open the ring buffer", err)
	}
	if c.plan.event != nil {
		if c.events, err = openEvents(c.programs[0], *c.plan.event); err != nil {
			return err
		}
	}
	return nil
}

// loadEvents loads both halves of the program that perf events run, with their maps.
func (c *Sampler) loadEvents(spec *ebpf.CollectionSpec) error {
	var o struct {
		bpf.CPUMaps
		TakeSample *ebpf.Program `ebpf:"take_sample"`
		Unwind     *ebpf.Program `ebpf:"unwind"`
	}
	if err := spec.LoadAndAssign(&o, nil); err != nil {
		return err
	}
	c.maps, c.programs = o.CPUMaps, []*ebpf.Program{o.TakeSample, o.Unwind}
	c.useMaps(spec)
	return o.ProgramsByIndex.Put(uint32(0), o.Unwind)
}

// loadWaits loads the program at switches of threads. Where events are sampled too it shares their maps.
func (c *Sampler) loadWaits(spec *ebpf.CollectionSpec) error {
	shared := &c.maps
	if c.maps.Samples == nil {
		shared = nil
	}
	w, err := loadWaits(spec, c.options.ContainerID, shared, waitsOf{c})
	if err != nil {
		return err
	}
	c.waits = w
	if shared == nil {
		c.maps = w.releaseMaps()
		c.useMaps(spec)
	}
	return w.attach()
}

// waitsOf is a sampler as its waits see it.
type waitsOf struct{ *Sampler }

func (c waitsOf) Lock()   { c.mu.Lock() }
func (c waitsOf) Unlock() { c.mu.Unlock() }

func (c waitsOf) KeepSample(s *sample) { c.keepSample(s) }

func (c waitsOf) AddWaits(e *stackEntry, a amount) {
	c.stacks.add(e, a, 0)
	c.kept.Add(uint64(a.count))
}

// useMaps says where unwind tables go.
func (c *Sampler) useMaps(spec *ebpf.CollectionSpec) {
	c.tables = newUnwindTables(&c.maps, spec.Maps[bpf.CPUMapUnwindChunks].InnerMap)
	c.ranges = newProcessRanges(&c.maps, c.tables)
	c.checker = newStackChecker(c.tables)
}

// ringBytes sizes the ring buffer: 100 ms of samples at 999 Hz with stacks of 100 frames are 80 KiB
// a CPU. It counts against the target's memory limit, so it ends at 4 MiB.
func ringBytes(cpus int) uint32 {
	size := uint32(1 << 20)
	for size < 4<<20 && int(size) < cpus*(80<<10) {
		size *= 2
	}
	return size
}

// pidNamespace identifies our own, as bpf_get_ns_current_pid_tgid wants it.
func pidNamespace() (dev, ino uint64, err error) {
	var s unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &s); err != nil {
		return 0, 0, fmt.Errorf("own PID namespace: %w", err)
	}
	return s.Dev, s.Ino, nil
}
