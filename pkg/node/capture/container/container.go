//go:build linux

package container

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/kernel"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Target describes how the BPF programs recognise the container's tasks.
type Target struct {
	containerID string
	list        *list

	CgroupID      uint64          // ID of the cgroup of the container or its pod: the inode of its directory
	KubeletDir    string          // kubelet's directory of the container if CgroupID is the pod's, see proc.KubeletDir
	Unified       bool            // the cgroup is in the unified hierarchy (cgroup v2)
	OwnLevel      uint32          // depth of the PID namespace of our /proc
	MayReadKernel bool            // bpf_probe_read_kernel is allowed
	Processes     []proc.Process  // of the container
	Tasks         []record.Sample // the processes in the cgroup; only the fields that identify a process are set
}

// Find finds the cgroup of a container, or of its pod if wholePod is set. It takes the container's processes from /proc and
// the IDs of their cgroups from the kernel's list of tasks, because the host's cgroup file system is not mounted. The caller
// must close the target.
func Find(containerID string, wholePod bool) (*Target, error) {
	processes, err := proc.InContainer(containerID)
	if err != nil {
		return nil, err
	}
	t := &Target{containerID: containerID, MayReadKernel: true, Processes: processes}
	if wholePod {
		if t.KubeletDir, err = proc.ContainerKubeletDir(containerID); err != nil {
			return nil, err
		}
	}
	if t.Unified, err = proc.OnCgroupV2(processes[0].PID, containerID); err != nil {
		return nil, err
	}
	t.list, err = openList(t)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) {
		// lockdown=confidentiality refuses programs that read kernel memory with a helper. The error depends
		// on the kernel.
		t.MayReadKernel = false
		t.list, err = openList(t)
	}
	if err != nil {
		return nil, kernel.Explain("list the node's processes", err)
	}
	if err := t.findTasks(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// Update finds the processes and the cgroup again.
func (t *Target) Update() (err error) {
	if t.Processes, err = proc.InContainer(t.containerID); err != nil {
		return err
	}
	return t.findTasks()
}

// Runs reports whether a process with the given identity exists on the node.
func (t *Target) Runs(p record.ProcessIdentity) bool {
	tasks, err := t.list.read()
	return err == nil && slices.ContainsFunc(tasks, func(task bpf.TasksTaskRecord) bool { return identity(&task) == p })
}

// Close unloads the program that lists processes.
func (t *Target) Close() error { return t.list.close() }

func (t *Target) findTasks() error {
	tasks, err := t.list.read()
	if err != nil {
		return kernel.Explain("list the node's processes", err)
	}
	return t.choose(tasks)
}

// choose sets the tasks, and the cgroup of most of the container's processes. A process is identified by its PID in our
// namespace or, if the kernel does not report that, by its start time.
func (t *Target) choose(tasks []bpf.TasksTaskRecord) error {
	if len(tasks) == 0 {
		return errors.New("the kernel's list of tasks is empty")
	}
	type key struct{ pid, started uint64 } // the start time only if the PID is unknown
	byKey := map[key][]*bpf.TasksTaskRecord{}
	for i := range tasks {
		task := &tasks[i]
		k := key{pid: uint64(task.Pid)}
		if task.Pid == 0 {
			k.started = task.StartBoottime / (1e9 / kernel.UserHZ)
		}
		byKey[k] = append(byKey[k], task)
	}
	votes := map[uint64]int{}
	for _, p := range t.Processes {
		depth, ok, err := proc.DepthInContainer(p.PID, t.containerID)
		if t.KubeletDir != "" {
			depth++ // a pod's cgroup is the parent of its containers' cgroups
		}
		if err != nil || !ok || depth >= len(tasks[0].Cgroups) {
			continue // the process has exited
		}
		for _, k := range []key{{pid: uint64(p.PID)}, {started: p.StartTime}} {
			for _, task := range byKey[k] {
				if task.Cgroups[depth] != 0 {
					votes[task.Cgroups[depth]]++
				}
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
		return fmt.Errorf("container %.12s: none of its %d processes is in the kernel's list of tasks: %w", t.containerID, len(t.Processes), proc.ErrNoContainer)
	}
	t.OwnLevel, t.Tasks = tasks[0].PidnsLevel, nil
	for _, task := range tasks {
		if task.Pid != 0 && slices.Contains(task.Cgroups[:], t.CgroupID) {
			t.Tasks = append(t.Tasks, record.Sample{Process: identity(&task), PID: task.Pid})
		}
	}
	return nil
}
