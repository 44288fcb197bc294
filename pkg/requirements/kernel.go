package requirements

import (
	"fmt"
	"strconv"
	"strings"
)

// Kernel is a version of the Linux kernel.
type Kernel struct{ Major, Minor int }

// OldestKernel is the first kernel that can run the BPF programs. Task iterators and the ring buffer came with Linux 5.8;
// tail calls from programs with subprograms on amd64, and a verifier that accepts the programs, with 5.10.
var OldestKernel = Kernel{5, 10}

// ParseKernel returns the version in a kernel release such as "6.1.0-30-amd64", as uname -r prints it.
func ParseKernel(release string) (k Kernel, ok bool) {
	major, rest, _ := strings.Cut(release, ".")
	minor := rest
	if i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		minor = rest[:i]
	}
	var majorErr, minorErr error
	k.Major, majorErr = strconv.Atoi(major)
	k.Minor, minorErr = strconv.Atoi(minor)
	if majorErr != nil || minorErr != nil {
		return Kernel{}, false
	}
	return k, true
}

// Before reports whether k is older than l.
func (k Kernel) Before(l Kernel) bool {
	return k.Major < l.Major || k.Major == l.Major && k.Minor < l.Minor
}

func (k Kernel) String() string { return fmt.Sprintf("%d.%d", k.Major, k.Minor) }
