//go:build linux

package container

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/kernel"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
)

// list lists the node's processes as the kernel sees them now.
type list struct {
	objects bpf.TasksObjects
	iter    *link.Iter
}

// openList loads the BPF program that lists processes. The caller must close the list.
func openList(t *Target) (*list, error) {
	spec, err := bpf.LoadTasks()
	if err != nil {
		return nil, err
	}
	if err := kernel.SetVariables(spec, map[string]any{
		bpf.TasksVarCgroupV2: kernel.Bool(t.Unified), bpf.TasksVarMayReadKernel: kernel.Bool(t.MayReadKernel),
	}); err != nil {
		return nil, err
	}
	var l list
	if err := spec.LoadAndAssign(&l.objects, &ebpf.CollectionOptions{Cache: kernel.Types()}); err != nil {
		return nil, err
	}
	if l.iter, err = link.AttachIter(link.IterOptions{Program: l.objects.ListProcesses}); err != nil {
		l.objects.Close()
		return nil, err
	}
	return &l, nil
}

// close unloads the program.
func (l *list) close() error {
	err := l.iter.Close()
	l.objects.Close()
	return err
}

// maxTasks bounds the node's processes that are looked at, of some 200 bytes each. A large node has 10,000.
const maxTasks = 1 << 16

// read runs the task iterator once.
func (l *list) read() ([]bpf.TasksTaskRecord, error) {
	r, err := l.iter.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, maxTasks*int64(binary.Size(bpf.TasksTaskRecord{}))))
	if err != nil {
		return nil, err
	}
	tasks := make([]bpf.TasksTaskRecord, len(raw)/binary.Size(bpf.TasksTaskRecord{}))
	return tasks, binary.Read(bytes.NewReader(raw), binary.NativeEndian, tasks)
}

func identity(t *bpf.TasksTaskRecord) record.ProcessIdentity {
	return record.ProcessIdentity{TGID: t.Tgid, Execs: t.Execs, Started: t.StartBoottime}
}
