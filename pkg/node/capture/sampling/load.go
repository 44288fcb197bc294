//go:build linux

package sampling

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/features"
	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/container"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/kernel"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/unwindmaps"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/verify"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/waits"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/registry"
)

// mapped requests the unwind tables of a process. If they cannot be loaded, the BPF program follows the frame pointers, and
// package verify cuts the stacks in which code without frame pointers makes them invalid.
func (c *Sampler) mapped(p record.ProcessIdentity, pid int, mappings []process.Mapping) {
	c.loader.Add(p, pid, mappings)
	if !c.starting {
		c.loader.Wait(tablePatience)
	}
}

// How long to wait for unwind tables. Most objects take milliseconds, the largest a second or two.
const (
	tablePatience = 200 * time.Millisecond // of a process that was started during the capture; samples arrive meanwhile
	startPatience = 5 * time.Second        // before the capture, for all processes
)

// maxListAge is how old the list of processes may be when sampling begins. Processes that have started since are read at
// their first sample.
const maxListAge = 3 * time.Second

// Prepare reads the mappings of the container's processes and loads their tables. Processes for which there is no time
// are read at their first sample. A constructor calls it, unless Options.LoadOnly is set. If sampling does not begin soon
// afterwards, call it again for the processes that have started since.
func (c *Sampler) Prepare() error {
	if time.Since(c.listed) > maxListAge {
		listed, cgroup := time.Now(), c.target.CgroupID
		if err := c.target.Update(); err != nil {
			return err
		}
		if c.target.CgroupID != cgroup {
			return errors.New("the container's cgroup has changed")
		}
		c.listed = listed
	}
	if len(c.target.Tasks) == 0 {
		return nil // they have been read
	}
	c.options.Steps.Begin("tables")
	until := time.Now().Add(startPatience)
	c.starting = true
	for i := range c.target.Tasks {
		if time.Now().After(until) {
			break
		}
		c.table.Lookup(&c.target.Tasks[i])
	}
	c.starting, c.target.Tasks = false, nil // some 300 bytes each
	c.loader.WaitUntil(until)
	return nil
}

func (c *Sampler) load(t *container.Target) error {
	if !t.MayReadKernel {
		kernel.KeepProbeReadUser()
	}
	cpus, err := kernel.OnlineCPUs()
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
		bpf.CPUVarCgroupV2: kernel.Bool(t.Unified), bpf.CPUVarMayReadKernel: kernel.Bool(t.MayReadKernel),
		bpf.CPUVarTargetCgroup: t.CgroupID, bpf.CPUVarPidnsLevel: t.OwnLevel,
		bpf.CPUVarPidnsDev: dev, bpf.CPUVarPidnsIno: ino, bpf.CPUVarWakeupBytes: size / 4,
	}
	prepare := func(spec *ebpf.CollectionSpec, err error) (*ebpf.CollectionSpec, error) {
		if err != nil {
			return nil, kernel.Explain("load the BPF program", err)
		}
		spec.Maps[bpf.CPUMapSamples].MaxEntries = size
		useLoop(spec)
		return spec, kernel.SetVariables(spec, variables)
	}
	if c.plan.event != nil {
		spec, err := prepare(bpf.LoadCPU())
		if err != nil {
			return err
		}
		if err := kernel.SetVariables(spec, map[string]any{bpf.CPUVarStepSamples: c.plan.stepSamples}); err != nil {
			return err
		}
		if err := c.loadEvents(spec); err != nil {
			return kernel.Explain("load the BPF program", kernel.DescribeVerifierError(err))
		}
	}
	if c.plan.waits {
		spec, err := prepare(bpf.LoadWaits())
		if err != nil {
			return err
		}
		if err := c.loadWaits(spec, t.Processes); err != nil {
			return kernel.Explain("load the BPF program for switches of threads", kernel.DescribeVerifierError(err))
		}
	}
	if c.ring, err = openRing(c.maps.Samples); err != nil {
		return err
	}
	if c.plan.event != nil {
		if c.events, err = openEvents(c.programs[0], *c.plan.event); err != nil {
			return err
		}
	}
	return nil
}

// useLoop makes the unwinder walk in a loop of the kernel's where there is one: Linux 5.17 or later. The kernel then
// verifies it in a tenth of the time.
func useLoop(spec *ebpf.CollectionSpec) {
	if features.HaveProgramHelper(ebpf.PerfEvent, asm.FnLoop) == nil {
		spec.Programs[bpf.CPUProgUnwind] = spec.Programs[bpf.CPUProgUnwindInLoop]
	}
}

// loadEvents loads both halves of the program that perf events run, with their maps.
func (c *Sampler) loadEvents(spec *ebpf.CollectionSpec) error {
	var o struct {
		bpf.CPUMaps
		TakeSample *ebpf.Program `ebpf:"take_sample"`
		Unwind     *ebpf.Program `ebpf:"unwind"`
	}
	if err := spec.LoadAndAssign(&o, &ebpf.CollectionOptions{Cache: kernel.Types()}); err != nil {
		return err
	}
	c.maps, c.programs = o.CPUMaps, []*ebpf.Program{o.TakeSample, o.Unwind}
	c.useMaps(spec)
	return o.ProgramsByIndex.Put(uint32(0), o.Unwind)
}

// loadWaits loads the program at switches of threads. Where events are sampled too it shares their maps.
func (c *Sampler) loadWaits(spec *ebpf.CollectionSpec, processes []proc.Process) error {
	shared := &c.maps
	if c.maps.Samples == nil {
		shared = nil
	}
	w, err := waits.Load(spec, processes, shared, waitsHost{c})
	if err != nil {
		return err
	}
	c.waits = w
	if shared == nil {
		c.maps = w.ReleaseMaps()
		c.useMaps(spec)
	}
	return w.Attach()
}

// waitsHost is a sampler as its waits see it.
type waitsHost struct{ *Sampler }

func (c waitsHost) Lock()   { c.mu.Lock() }
func (c waitsHost) Unlock() { c.mu.Unlock() }

func (c waitsHost) KeepSample(s *record.Sample) { c.keepSample(s) }

func (c waitsHost) AddWaits(e *stack.Entry, a stack.Amount) {
	c.stacks.Add(e, a, 0)
	c.Kept.Add(uint64(a.Count))
}

// useMaps prepares the unwind tables, which go into the maps that are loaded.
func (c *Sampler) useMaps(spec *ebpf.CollectionSpec) {
	known := registry.All()
	c.tables = unwindmaps.NewTables(&c.maps, spec.Maps[bpf.CPUMapUnwindChunks].InnerMap, known)
	c.ranges = unwindmaps.NewRanges(&c.maps, spec.Maps[bpf.CPUMapUnwindRanges].InnerMap, c.tables)
	c.loader = unwindmaps.NewLoader(c.ranges)
	c.checker = verify.NewChecker(c.tables)
}

// ringBytes sizes the ring buffer: 80 ms of samples at 999 Hz with stacks of 100 frames are 80 KiB
// a CPU. It counts against the target's memory limit, so it ends at 4 MiB.
func ringBytes(cpus int) uint32 {
	size := uint32(1 << 20)
	for size < 4<<20 && int(size) < cpus*(80<<10) {
		size *= 2
	}
	return size
}

// pidNamespace returns the device and inode of our PID namespace, as bpf_get_ns_current_pid_tgid expects them.
func pidNamespace() (dev, ino uint64, err error) {
	var s unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &s); err != nil {
		return 0, 0, fmt.Errorf("own PID namespace: %w", err)
	}
	return s.Dev, s.Ino, nil
}
