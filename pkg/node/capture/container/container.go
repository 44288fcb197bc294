//go:build linux

package container

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/kernel"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Target describes how the BPF programs recognise the container's tasks.
type Target struct {
	CgroupID      uint64          // ID of the cgroup of the container or its pod: the inode of its directory
	KubeletDir    string          // kubelet's directory of the container if CgroupID is the pod's, see proc.KubeletDir
	Unified       bool            // the cgroup is in the unified hierarchy (cgroup v2)
	OwnLevel      uint32          // depth of the PID namespace of our /proc
	MayReadKernel bool            // bpf_probe_read_kernel is allowed
	Processes     []record.Sample // the container's processes; only the fields that identify a process are set
}

// Find finds the cgroup of a container, or of its pod if wholePod is set. It takes the container's processes from /proc and
// the IDs of their cgroups from the kernel's list of tasks, because the host's cgroup file system is not mounted.
func Find(containerID string, wholePod bool) (*Target, error) {
	processes, err := proc.InContainer(containerID)
	if err != nil {
		return nil, err
	}
	t := &Target{MayReadKernel: true}
	if wholePod {
		if t.KubeletDir, err = proc.ContainerKubeletDir(containerID); err != nil {
			return nil, err
		}
	}
	if t.Unified, err = proc.OnCgroupV2(processes[0].PID, containerID); err != nil {
		return nil, err
	}
	tasks, err := listTasks(t)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) {
		// lockdown=confidentiality refuses programs that read kernel memory with a helper. The error depends
		// on the kernel.
		t.MayReadKernel = false
		tasks, err = listTasks(t)
	}
	if err != nil {
		return nil, kernel.Explain("list the node's processes", err)
	}
	return t, t.choose(containerID, processes, tasks)
}

// listTasks runs the task iterator once.
func listTasks(t *Target) ([]bpf.TasksTaskRecord, error) {
	spec, err := bpf.LoadTasks()
	if err != nil {
		return nil, err
	}
	if err := kernel.SetVariables(spec, map[string]any{
		bpf.TasksVarCgroupV2: kernel.Bool(t.Unified), bpf.TasksVarMayReadKernel: kernel.Bool(t.MayReadKernel),
	}); err != nil {
		return nil, err
	}
	var objects bpf.TasksObjects
	if err := spec.LoadAndAssign(&objects, nil); err != nil {
		return nil, err
	}
	defer objects.Close()
	iter, err := link.AttachIter(link.IterOptions{Program: objects.ListProcesses})
	if err != nil {
		return nil, err
	}
	defer iter.Close()
	r, err := iter.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	tasks := make([]bpf.TasksTaskRecord, len(raw)/binary.Size(bpf.TasksTaskRecord{}))
	return tasks, binary.Read(bytes.NewReader(raw), binary.NativeEndian, tasks)
}

// choose sets the cgroup of most of the container's processes. A process is identified by its PID in our namespace or, if
// the kernel does not report that, by its start time.
func (t *Target) choose(containerID string, processes []proc.Process, tasks []bpf.TasksTaskRecord) error {
	if len(tasks) == 0 {
		return errors.New("the kernel's list of tasks is empty")
	}
	votes := map[uint64]int{}
	for _, p := range processes {
		depth, ok, err := proc.DepthInContainer(p.PID, containerID)
		if t.KubeletDir != "" {
			depth++ // a pod's cgroup is the parent of its containers' cgroups
		}
		if err != nil || !ok || depth >= len(tasks[0].Cgroups) {
			continue // the process has exited
		}
		for _, task := range tasks {
			same := task.Pid == uint32(p.PID)
			if task.Pid == 0 {
				same = task.StartBoottime/(1e9/kernel.UserHZ) == p.StartTime
			}
			if same && task.Cgroups[depth] != 0 {
				votes[task.Cgroups[depth]]++
			}
		}
	}
	most := 0
	for id, n := range votes {
		if n > most {
			t.CgroupID, most = id, n
		}
	}
	if most == 0 {
		return fmt.Errorf("container %.12s: none of its %d processes is in the kernel's list of tasks: %w", containerID, len(processes), proc.ErrNoContainer)
	}
	t.OwnLevel = tasks[0].PidnsLevel
	for _, task := range tasks {
		if task.Pid != 0 && slices.Contains(task.Cgroups[:], t.CgroupID) {
			t.Processes = append(t.Processes, record.Sample{
				Process: record.ProcessIdentity{TGID: task.Tgid, Execs: task.Execs, Started: task.StartBoottime}, PID: task.Pid,
			})
		}
	}
	return nil
}
