package requirements

import (
	"regexp"
	"strconv"
	"strings"
)

// UserReads is whether BPF programs that run in interrupts may read user memory on a kernel.
//
// From Linux 5.18 ("mm/usercopy: Detect vmalloc overruns") until "mm: Fix copy_from_user_nofault()"
// (d319f344561d, in 6.4, 6.3.10 and 6.1.36) such a read can take the lock of find_vmap_area. If the
// interrupted code holds that lock, the CPU waits for itself for ever. It was seen with Linux 6.1.25
// (https://github.com/parca-dev/parca-agent/issues/1675).
type UserReads int

const (
	// UserReadsUnknown means that the version alone does not tell.
	UserReadsUnknown UserReads = iota
	UserReadsSafe
	UserReadsUnsafe
)

var releaseNumbers = regexp.MustCompile(`^(\d+)\.(\d+)(?:\.(\d+))?(.*)$`)

// UserReadsOf judges a kernel by its release, such as "6.1.0-30-amd64". Many distributions put their
// own numbers in the place of the third number, or carry changes of later versions: such a release
// is unknown if its series is affected.
func UserReadsOf(release string) UserReads {
	m := releaseNumbers.FindStringSubmatch(release)
	if m == nil {
		return UserReadsUnknown
	}
	kernel, ok := ParseKernel(release)
	patch, err := strconv.Atoi("0" + m[3])
	switch {
	case !ok || err != nil:
		return UserReadsUnknown
	case !kernel.Before(Kernel{6, 4}):
		return UserReadsSafe
	case kernel == Kernel{5, 14} && m[4] != "": // RHEL 9 and SLE 15 carry changes of later versions
		return UserReadsUnknown
	case kernel.Before(Kernel{5, 18}):
		return UserReadsSafe
	case patch == 0 && m[4] != "": // Debian and Ubuntu: 6.1.0-30-amd64, 6.2.0-39-generic
		return UserReadsUnknown
	case kernel == Kernel{6, 1} && patch >= 36, kernel == Kernel{6, 3} && patch >= 10:
		return UserReadsSafe
	}
	return UserReadsUnsafe
}

var debianVersion = regexp.MustCompile(`\bDebian (\d+\.\d+\.\d+)-`)

// UpstreamRelease returns the version of Linux that a distribution's kernel is based on, or "" if it
// is not stated. version is what uname -v prints, where Debian states it; signature is the content
// of /proc/version_signature, where Ubuntu does, or "".
func UpstreamRelease(version, signature string) string {
	if m := debianVersion.FindStringSubmatch(version); m != nil {
		return m[1]
	}
	if fields := strings.Fields(signature); len(fields) == 3 && fields[0] == "Ubuntu" {
		return fields[2]
	}
	return ""
}
