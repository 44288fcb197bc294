//go:build linux

package kernel

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
)

// Reasons why a node cannot be profiled with BPF. The errors that wrap them add the details.
var (
	ErrNoBTF        = errors.New("the node's kernel has no BTF type information")
	ErrKernelTooOld = errors.New("the node's kernel is too old")
	ErrNotPermitted = errors.New("the node's kernel refuses BPF or perf events")
)

// Check returns an error if the kernel is known not to suffice, before anything is loaded.
func Check() error {
	release, err := Release()
	if err != nil {
		return err
	}
	if k, ok := requirements.ParseKernel(release); ok && k.Before(requirements.OldestKernel) {
		return fmt.Errorf("%w: it is Linux %s, the profiler needs %v or later; profile on a newer node", ErrKernelTooOld, release, requirements.OldestKernel)
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: Linux %s has no /sys/kernel/btf/vmlinux; it needs a kernel built with CONFIG_DEBUG_INFO_BTF", ErrNoBTF, release)
	}
	return nil
}

// Release returns the kernel's release, such as "6.1.0-13-amd64".
func Release() (string, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", fmt.Errorf("uname: %w", err)
	}
	return unix.ByteSliceToString(u.Release[:]), nil
}

// Explain wraps an error of the kernel in ErrNoBTF, ErrKernelTooOld or ErrNotPermitted where that is its cause, and adds the
// setting that is responsible. what names the attempted action: "load the BPF program".
func Explain(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, btf.ErrNotFound), errors.Is(err, btf.ErrNotSupported):
		return fmt.Errorf("%s: %w: %w", what, ErrNoBTF, err)
	case errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Errorf("%s: %w: %w", what, ErrKernelTooOld, err)
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("%s: %w: %s: %w", what, ErrNotPermitted, whyNotPermitted(), err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// whyNotPermitted returns the most specific reason for which the kernel may have refused an operation.
func whyNotPermitted() string {
	if inUserNamespace() {
		return "the pod has a user namespace (hostUsers: false), in which neither is allowed; use a Job"
	}
	if missing := missingCapabilities(); len(missing) > 0 {
		return "the container lacks " + strings.Join(missing, ", ") + "; it must be privileged"
	}
	if mode := lockdown(); mode == "confidentiality" || mode == "integrity" {
		return "the kernel is locked down (lockdown=" + mode + ")"
	}
	return "a security module (seccomp, AppArmor, SELinux) or the sysctl kernel.perf_event_paranoid forbids it"
}

// inUserNamespace reports whether we run in a user namespace other than the initial one, whose map covers all IDs.
func inUserNamespace() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	fields := strings.Fields(string(text))
	return err == nil && (len(fields) != 3 || fields[2] != "4294967295")
}

func missingCapabilities() []string {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return nil
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		value, ok := strings.CutPrefix(lines.Text(), "CapEff:")
		if !ok {
			continue
		}
		set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil || set&(1<<unix.CAP_SYS_ADMIN) != 0 {
			return nil
		}
		var missing []string
		for _, c := range []struct {
			bit  int
			name string
		}{{unix.CAP_BPF, "CAP_BPF"}, {unix.CAP_PERFMON, "CAP_PERFMON"}, {unix.CAP_SYS_PTRACE, "CAP_SYS_PTRACE"}} {
			if set&(1<<c.bit) == 0 {
				missing = append(missing, c.name)
			}
		}
		return missing
	}
	return nil
}

// lockdown returns the active mode, in brackets in "none [integrity] confidentiality", or "" if it cannot be read.
func lockdown() string {
	text, err := os.ReadFile("/sys/kernel/security/lockdown")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(text), "[")
	mode, _, _ := strings.Cut(rest, "]")
	return mode
}

// DescribeVerifierError adds to an error of the verifier that it is one.
func DescribeVerifierError(err error) error {
	if v := (*ebpf.VerifierError)(nil); errors.As(err, &v) {
		return fmt.Errorf("the kernel's verifier rejects it: %w", err)
	}
	return err
}
