package render

import (
	"regexp"
	"strings"

	"github.com/google/pprof/profile"
)

// kind is the kind of code that a frame belongs to. It determines the frame's colour.
type kind uint8

const (
	kindOwn kind = iota
	kindDependency
	kindStandard
	kindRuntime
	kindNative
	kindKernel
	kindProcess
	kindThread
	kinds
)

// kindLook holds the name of each kind in the legend and its colour. The hues are close to Okabe and Ito's palette
// (jfly.uni-koeln.de/color) and pale enough for black text. They were adjusted until all shades of any two kinds differ clearly,
// with all kinds of colour blindness too, which a test measures. Lightness differs as well, for prints in grey.
var kindLook = [kinds]struct {
	word                       string
	hue, saturation, lightness float64
}{
	kindOwn:        {"own code", 27, 0.92, 0.61},
	kindDependency: {"dependencies", 57, 0.85, 0.62},
	kindStandard:   {"standard library", 213, 0.85, 0.75},
	kindRuntime:    {"Go runtime, GC", 140, 0.48, 0.76},
	kindNative:     {"native", 22, 0.40, 0.58},
	kindKernel:     {"kernel", 292, 0.36, 0.70},
	kindProcess:    {"process", 0, 0, 0.82},
	kindThread:     {"thread", 0, 0, 0.88},
}

// kindOf returns the kind of a function. Go functions are recognised by their source files: .go, or .s if the name has a package
// path.
func kindOf(fn *profile.Function, m *profile.Mapping) kind {
	if m != nil && isKernel(m.File) {
		return kindKernel
	}
	if !strings.HasSuffix(fn.Filename, ".go") && !(strings.HasSuffix(fn.Filename, ".s") && strings.Contains(fn.Name, ".")) {
		return kindNative
	}
	pkg := goPackage(fn.Name)
	first, _, _ := strings.Cut(pkg, "/")
	switch {
	case pkg == "runtime", strings.HasPrefix(pkg, "runtime/internal"), strings.HasPrefix(pkg, "internal/runtime/"), pkg == "internal/bytealg", strings.HasSuffix(pkg, ":"):
		return kindRuntime // "type:" and "go:" are the compiler's
	case strings.Contains(standardPackages, " "+first+" "):
		return kindStandard
	case strings.Contains(fn.Filename, "@v"), strings.Contains(fn.Filename, "/vendor/"), strings.HasPrefix(fn.Filename, "vendor/"):
		return kindDependency
	}
	return kindOwn
}

// userMappings are the names in brackets of mappings that are not the kernel's (fs/proc/task_mmu.c and arch/*/vdso of Linux 6.17;
// perf, simpleperf and our profiler for the others).
const userMappings = " vdso vdso32 vdsox32 vvar vvar_vclock vsyscall vectors sigpage heap stack anon uprobes unmapped unknown jit JIT "

// kernelFile matches the object files of the kernel in perf and elsewhere: modules ("[ext4]", their other sections "[ext4].init.text",
// ext4.ko.xz), the kernel's own image, and BPF programs, whose names have a tag of 16 digits.
var kernelFile = regexp.MustCompile(`^\[(?:guest\.)?kernel|^\[[\w-]+\](?:\.[\w.]+)?$|^/proc/kcore$|\.ko(?:\.(?:gz|xz|zst|bz2|debug))*$|(?:^|/)vmlinu[xz](?:[-._][^/]*)?$|/\[kernel\.|^bpf_(?:prog_[0-9a-f]{16}|trampoline|dispatcher)`)

// isKernel reports whether an object file belongs to the kernel.
func isKernel(file string) bool {
	name := strings.TrimSuffix(strings.TrimPrefix(file, "["), "]")
	return !strings.Contains(userMappings, " "+name+" ") && kernelFile.MatchString(file)
}

// standardPackages are the first elements of the import paths in Go 1.26's standard library and toolchain, which have their own
// vendor directory. All other packages belong to modules; a module path need not contain a dot. Files of dependencies are in a
// directory named for the version, with -trimpath too, or in a vendor directory; files of the main module are in neither.
const standardPackages = " archive arena bufio builtin bytes cmd cmp compress container context crypto database debug embed encoding errors expvar flag fmt go hash html image " +
	"index internal io iter log maps math mime net os path plugin reflect regexp runtime simd slices sort strconv strings structs sync syscall testing text time unicode unique unsafe vendor weak "

// module returns the path of a Go function's module, guessed from the import path: two elements, or three on the usual hosts.
func module(name string) string {
	elements := strings.Split(goPackage(name), "/")
	n := 2
	if strings.Contains(" github.com gitlab.com bitbucket.org golang.org ", " "+elements[0]+" ") {
		n = 3
	}
	return strings.Join(elements[:min(n, len(elements))], "/")
}

// goPackage returns the import path in a Go function's name: up to the first dot after the last slash, type arguments and
// receiver not considered.
func goPackage(name string) string {
	head := name
	if i := strings.IndexAny(head, "[("); i >= 0 {
		head = head[:i]
	}
	slash := strings.LastIndexByte(head, '/') + 1
	dot := strings.IndexByte(head[slash:], '.')
	if dot < 0 {
		return head
	}
	return head[:slash+dot]
}
