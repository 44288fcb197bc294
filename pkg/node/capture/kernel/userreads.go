//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
)

// ErrUnsafeUserReads says that a BPF program that reads user memory could freeze the node.
var ErrUnsafeUserReads = errors.New("the node's kernel can freeze when BPF programs read user memory")

// CheckUserReads returns an error that wraps ErrUnsafeUserReads unless BPF programs that run in
// interrupts may read user memory: see requirements.UserReads. Where the version does not tell, the
// machine code of the running kernel does, which is read once. If BPF is not permitted at all, the
// error wraps ErrNotPermitted.
var CheckUserReads = sync.OnceValue(checkUserReads)

func checkUserReads() error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return fmt.Errorf("uname: %w", err)
	}
	release := unix.ByteSliceToString(u.Release[:])
	signature, _ := os.ReadFile("/proc/version_signature") // Ubuntu's only
	if judgeVersion(release, unix.ByteSliceToString(u.Version[:]), string(signature)) == requirements.UserReadsSafe {
		return nil
	}
	freezes, err := UserReadsCanFreeze()
	const fixed = `Linux 5.18 until 6.1.36, 6.3.10 and 6.4 lack the fix "mm: Fix copy_from_user_nofault()"`
	const remedy = "update the node's kernel, choose a type that needs no BPF, or accept the risk with --unsafe-kernel"
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return Explain("read the kernel's machine code", err)
	case err != nil:
		return fmt.Errorf("%w: whether Linux %s does cannot be determined (%w); %s; %s", ErrUnsafeUserReads, release, err, fixed, remedy)
	case freezes:
		return fmt.Errorf("%w: it is Linux %s; %s; %s", ErrUnsafeUserReads, release, fixed, remedy)
	}
	return nil
}

// judgeVersion judges by the version that the kernel is based on, if it is stated, or its release.
func judgeVersion(release, version, signature string) requirements.UserReads {
	if upstream := requirements.UpstreamRelease(version, signature); upstream != "" {
		return requirements.UserReadsOf(upstream)
	}
	return requirements.UserReadsOf(release)
}

// The path from copy_from_user_nofault (mm/maccess.c) to find_vmap_area (mm/vmalloc.c), through
// mm/usercopy.c. Compilers inline check_heap_object as a rule. 5.18 calls find_vm_area, in which
// find_vmap_area is inlined.
const (
	userRead     = "copy_from_user_nofault"
	sizeChecker  = "__check_object_size"
	heapChecker  = "check_heap_object"
	findVmapArea = "find_vmap_area"
	findVMArea   = "find_vm_area"
)

var userReadPath = []string{userRead, sizeChecker, heapChecker, findVmapArea, findVMArea}

// nmiCheck is a function of amd64 that copy_from_user_nofault calls since the fix.
const nmiCheck = "nmi_uaccess_okay"

// UserReadsCanFreeze reports whether the running kernel's copy_from_user_nofault can wait for the
// lock of find_vmap_area, by the machine code.
func UserReadsCanFreeze() (bool, error) {
	kallsyms, err := os.Open("/proc/kallsyms")
	if err != nil {
		return false, err
	}
	defer kallsyms.Close()
	functions, err := findFunctions(kallsyms, append(slices.Clone(userReadPath), nmiCheck)...)
	if err != nil {
		return false, err
	}
	text, err := newTextReader()
	if err != nil {
		return false, fmt.Errorf("load a BPF program that reads the kernel's code: %w", err)
	}
	defer text.close()
	c := kernelCode{runtime.GOARCH, functions, text.read}
	if reaches, err := c.reachesLock(); err != nil || !reaches {
		return false, err
	}
	disabled, err := pagefaultDisabledOffset()
	if err != nil {
		return false, err
	}
	fixed, err := c.isFixed(disabled)
	return !fixed, err
}

// pagefaultDisabledOffset returns the offset in bytes of task_struct.pagefault_disabled.
func pagefaultDisabledOffset() (uint32, error) {
	spec, err := Types().Kernel()
	if err != nil {
		return 0, err
	}
	var task *btf.Struct
	if err := spec.TypeByName("task_struct", &task); err != nil {
		return 0, err
	}
	for _, m := range task.Members {
		if m.Name == "pagefault_disabled" {
			return m.Offset.Bytes(), nil
		}
	}
	return 0, errors.New("its struct task_struct has no member pagefault_disabled")
}

// kernelCode is machine code of the kernel.
type kernelCode struct {
	arch      string
	functions map[string][]function
	read      func(function) ([]byte, error)
}

// reachesLock follows the calls between the functions of userReadPath. Before 5.18 they do not get
// to the lock.
func (k kernelCode) reachesLock() (bool, error) {
	if len(k.functions[userRead]) == 0 {
		return false, fmt.Errorf("it has no function %s", userRead)
	}
	if len(k.functions[sizeChecker]) == 0 { // without CONFIG_HARDENED_USERCOPY
		return false, nil
	}
	if len(k.functions[findVmapArea])+len(k.functions[findVMArea]) == 0 {
		return false, fmt.Errorf("it has neither of the functions %s and %s", findVmapArea, findVMArea)
	}
	reached := map[string]bool{}
	queue := []string{userRead}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if reached[name] {
			continue
		}
		reached[name] = true
		if name == findVmapArea || name == findVMArea {
			return true, nil
		}
		for _, callee := range userReadPath {
			calls, err := k.calls(name, callee)
			if err != nil {
				return false, err
			}
			if calls {
				queue = append(queue, callee)
			}
		}
	}
	return false, nil
}

// isFixed reports whether the functions have the fix. It made copy_from_user_nofault ask
// nmi_uaccess_okay, which is a function on amd64 only, and check_heap_object, which is inlined in
// __check_object_size or called by it, ask whether page faults are disabled.
func (k kernelCode) isFixed(pagefaultDisabled uint32) (bool, error) {
	if k.arch == "amd64" {
		return k.calls(userRead, nmiCheck)
	}
	for _, name := range []string{sizeChecker, heapChecker} {
		for _, part := range k.functions[name] {
			code, err := k.read(part)
			if err != nil {
				return false, err
			}
			if loadsAt(code, pagefaultDisabled) {
				return true, nil
			}
		}
	}
	return false, nil
}

// calls reports whether a function calls another one.
func (k kernelCode) calls(caller, callee string) (bool, error) {
	for _, part := range k.functions[caller] {
		code, err := k.read(part)
		if err != nil {
			return false, err
		}
		for _, target := range k.functions[callee] {
			if calls(k.arch, code, part.address, target.address) {
				return true, nil
			}
		}
	}
	return false, nil
}
