package layout

import (
	"bytes"
	"go/ast"
	"go/printer"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/test/source"
)

// The profiler runs as root, and the target decides what is at its paths: a device, a FIFO, or a
// link to the node's files. So pkg/node opens the target's files only in proc's openRegular, and
// otherwise files of /proc and /sys whose paths do not lead into the target. opensElsewhere lists
// the exceptions by file, and why each is harmless.
var opensElsewhere = map[string][]string{
	// The one place that opens files of the target.
	"pkg/node/proc/openregular.go": {`unix.Open(fmt.Sprintf("/proc/self/fd/%d", found), openFlags, 0)`},
	// These only find a file (O_PATH), for openRegular. Readlink returns the name of one that was found.
	"pkg/node/proc/file.go": {
		`unix.Open(fmt.Sprintf("/proc/%d/map_files/%x-%x", tid, at.Start, at.End), findFlags, 0)`,
		`os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))`,
	},
	"pkg/node/proc/executable.go": {`unix.Open(threadPath(p.PID, tid, "exe"), findFlags, 0)`},
	"pkg/node/proc/root.go": {
		`unix.Open(path, findFlags|unix.O_DIRECTORY, 0)`,
		`unix.Openat2(int(fd), strings.TrimPrefix(path, "/"), &unix.OpenHow{ Flags: findFlags, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS, })`,
	},
	// Calls of readBounded are checked instead.
	"pkg/node/proc/process.go": {`os.Open(path)`},
	// The names are numbers of threads, and a PID.
	"pkg/node/proc/stop.go": {
		`readBounded(filepath.Join(t.process.path("task"), name, "status"), 64<<10)`,
		`readBounded(filepath.Join(t.process.path("task"), tid, "status"), 64<<10)`,
	},
	"pkg/node/proc/thread.go": {`readBounded(filepath.Join(p.path("task"), strconv.Itoa(tid), "status"), 64<<10)`},
	// A cgroup file system that the profiler has mounted for itself.
	"pkg/node/proc/availablememory.go": {
		`unix.Openat2(int(root.Fd()), strings.TrimPrefix(name, "/"), &unix.OpenHow{ Flags: unix.O_RDONLY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS, })`,
	},
	// The path is a constant of the package below /sys.
	"pkg/node/capture/kernel/cpus.go": {`os.ReadFile(path)`},
	// The profiler's own socket, in its own container.
	"pkg/node/profiler/socket.go": {`os.Remove(path)`},
	// Programs that tests profile.
	"pkg/node/capture/capturetest/target.go": nil,
}

// withoutPaths are the functions and types of packages for files that open nothing.
var withoutPaths = map[string]*regexp.Regexp{
	"os": regexp.MustCompile(`^(Args|Environ|Err[A-Z]\w*|Exit|File|FileMode|Getpid|Getppid|Getenv|Geteuid|Getuid|Interrupt|LookupEnv|Kill|` +
		`Getpagesize|NewFile|O_[A-Z]+|PathError|Process|ProcessState|Signal|Std(in|out|err)|SyscallError|DevNull|Is(Exist|NotExist|Permission))$`),
	"path/filepath": regexp.MustCompile(`^(Base|Dir|Join|Ext|Clean|IsAbs|Rel|Split|FromSlash|ToSlash|SkipDir|SkipAll|Separator)$`),
}

// withPaths are the functions of other packages that take paths.
var withPaths = map[string]*regexp.Regexp{
	"golang.org/x/sys/unix": regexp.MustCompile(`^(Open|Creat|L?stat|L?Stat|Fstatat|Statx|Statfs|Readlink|Access|Faccessat|Ch(own|mod|dir|root)|Lchown|Fch(own|mod)at|` +
		`Mknod|Mkdir|Mkfifo|Link|Symlink|Rename|Unlink|Rmdir|Truncate|Utim|L?Utim|Futimesat|Mount|Unmount|Mov?e?Mount|OpenTree|Fspick|PivotRoot|Swap|Acct|L?[Gg]etxattr|L?[Ll]istxattr|L?[Ss]etxattr|` +
		`L?[Rr]emovexattr|InotifyAddWatch|FanotifyMark|NameToHandleAt|OpenByHandleAt|Uselib|Exec|SYS_(OPEN|CREAT|L?STAT|NEWFSTATAT|READLINK|ACCESS|FACCESSAT))`),
	"syscall": regexp.MustCompile(`^(Open|Creat|L?Stat|Fstatat|Statfs|Readlink|Access|Faccessat|Ch(own|mod|dir|root)|Mknod|Mkdir|Mkfifo|` +
		`Link|Symlink|Rename|Unlink|Rmdir|Truncate|Utim|Mount|Unmount|Getxattr|InotifyAddWatch|SYS_(OPEN|CREAT|L?STAT|NEWFSTATAT|READLINK|ACCESS|FACCESSAT))`),
	"io/ioutil":       regexp.MustCompile(``),
	"debug/elf":       regexp.MustCompile(`^Open$`),
	"debug/buildinfo": regexp.MustCompile(`^ReadFile$`),
	"debug/pe":        regexp.MustCompile(`^Open$`),
	"debug/macho":     regexp.MustCompile(`^Open`),
	"debug/gosym":     regexp.MustCompile(`^Open$`),
	"archive/zip":     regexp.MustCompile(`^OpenReader$`),
	"plugin":          regexp.MustCompile(`^Open$`),
}

// structs matches types of unix and syscall that are named like functions.
var structs = regexp.MustCompile(`^(OpenHow|\w+_t)$`)

// readsPath matches functions of pkg/node itself that open the path in their first argument.
var readsPath = regexp.MustCompile(`^readBounded$`)

func TestFilesOfTheTargetAreOpenedInOnePlace(t *testing.T) {
	used := map[string][]string{}
	for _, file := range source.Files(t, 100, "pkg/node") {
		for _, call := range opensIn(t, file) {
			allowed, listed := opensElsewhere[file.Path]
			if listed && (allowed == nil || slices.Contains(allowed, call)) {
				used[file.Path] = append(used[file.Path], call)
				continue
			}
			t.Errorf("%s: %s may open a file of the target.\n"+
				"Open files of the target with proc.Process.OpenInRoot, OpenMapping or proc.Root.Open. If the path cannot lead to one, add the call to opensElsewhere in this test and say why.",
				file.Path, call)
		}
	}
	for file, calls := range opensElsewhere {
		for _, call := range calls {
			if !slices.Contains(used[file], call) {
				t.Errorf("opensElsewhere: %s has no %s any more; remove it here", file, call)
			}
		}
	}
}

// opensIn returns the source text of calls that may open a file, except those whose path certainly
// leads to a file of /proc or /sys. A function that is used as a value counts as well.
func opensIn(t *testing.T, f source.File) (calls []string) {
	t.Helper()
	set := token.NewFileSet()
	file := f.Parse(t, set)
	packages := map[string]string{} // import path by local name
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		local := path.Base(imported)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		if local == "." || strings.Contains(imported, "prometheus/procfs") {
			calls = append(calls, "import "+imported)
		}
		packages[local] = imported
	}
	opens := func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.Ident:
			return readsPath.MatchString(e.Name)
		case *ast.SelectorExpr:
			if pkg, ok := e.X.(*ast.Ident); ok {
				harmless, dangerous := withoutPaths[packages[pkg.Name]], withPaths[packages[pkg.Name]]
				if structs.MatchString(e.Sel.Name) {
					return false
				}
				return harmless != nil && !harmless.MatchString(e.Sel.Name) || dangerous != nil && dangerous.MatchString(e.Sel.Name)
			}
		}
		return false
	}
	var visit func(n ast.Node) bool
	visit = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Body != nil {
				ast.Inspect(n.Body, visit)
			}
			return false
		case *ast.CallExpr:
			if opens(n.Fun) {
				if len(n.Args) == 0 || !isOwnPath(n.Args[0]) {
					calls = append(calls, textOf(t, set, n))
				}
				for _, arg := range n.Args {
					ast.Inspect(arg, visit)
				}
				return false
			}
		case ast.Expr:
			if opens(n) {
				calls = append(calls, textOf(t, set, n))
				return false
			}
		}
		return true
	}
	ast.Inspect(file, visit)
	return calls
}

// intoTarget matches files of /proc/PID that lead to other files.
var intoTarget = regexp.MustCompile(`^(cwd|exe|root|fd|map_files|ns|task)(/|$)`)

// ofKernel matches /proc, its files that belong to no process, and sysctls.
var ofKernel = regexp.MustCompile(`^/proc(/[a-z_]+|/sys(/[a-z_]+)+)?$`)

// isOwnPath reports whether a path certainly leads to a file of /proc or /sys itself: it is a
// constant, or the name of a process's file, in which all that varies is the process.
func isOwnPath(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		name, err := strconv.Unquote(e.Value)
		if err != nil || path.Clean(name) != name {
			return false
		}
		if own, ok := strings.CutPrefix(name, "/proc/self/"); ok {
			return own == "task" || strings.HasPrefix(own, "task/*") || own == "ns/pid" || !intoTarget.MatchString(own)
		}
		return strings.HasPrefix(name, "/sys/") || ofKernel.MatchString(name) && name != "/proc/self"
	case *ast.CallExpr:
		switch fun := e.Fun.(type) {
		case *ast.Ident:
			if fun.Name != "threadPath" || len(e.Args) != 3 { // of package proc
				return false
			}
			file, ok := e.Args[2].(*ast.BasicLit)
			if !ok {
				return false
			}
			name, err := strconv.Unquote(file.Value)
			return err == nil && path.Base(name) == name && !strings.HasPrefix(name, ".") && !intoTarget.MatchString(name)
		case *ast.SelectorExpr:
			if len(e.Args) == 0 {
				return false
			}
			format, ok := e.Args[0].(*ast.BasicLit)
			if !ok {
				return false
			}
			name, err := strconv.Unquote(format.Value)
			if err != nil {
				return false
			}
			switch {
			case fun.Sel.Name == "path" && len(e.Args) == 1: // of proc.Process
			case fun.Sel.Name == "Sprintf" && len(e.Args) == 2:
				rest, ok := strings.CutPrefix(name, "/proc/%d")
				if !ok {
					return false
				}
				name = strings.TrimPrefix(rest, "/")
			default:
				return false
			}
			return name == "" || name == "task" || name == "task/*" || path.Clean(name) == name && !strings.HasPrefix(name, ".") && !intoTarget.MatchString(name)
		}
	}
	return false
}

func textOf(t *testing.T, set *token.FileSet, n ast.Node) string {
	t.Helper()
	var b bytes.Buffer
	if err := printer.Fprint(&b, set, n); err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func TestOpensAreRecognised(t *testing.T) {
	for call, want := range map[string]bool{
		`os.Open(path)`:                                       true,
		`os.Open("/proc/self/fd/3")`:                          true,
		`os.Open("/proc/self/root/etc/passwd")`:               true,
		`os.ReadFile("/proc/self")`:                           true,
		`os.ReadFile("/proc/kallsyms")`:                       false,
		`os.ReadFile("/etc/passwd")`:                          true,
		`os.Open(fmt.Sprintf("/proc/%d/root", pid))`:          true,
		`os.Open(fmt.Sprintf("/proc/%d/%s", pid, name))`:      true,
		`os.Open(p.path("exe"))`:                              true,
		`os.Open(p.path("../1/root"))`:                        true,
		`os.Open(p.path("task/1/root"))`:                      true,
		`os.DirFS(dir)`:                                       true,
		`each(paths, os.Open)`:                                true,
		`unix.Openat(dir, "x", 0, 0)`:                         true,
		`unix.Openat2(dir, "x", nil)`:                         true,
		`unix.Syscall(unix.SYS_OPENAT, 0, 0, 0)`:              true,
		`unix.Lgetxattr(path, "x", nil)`:                      true,
		`elf.Open(path)`:                                      true,
		`filepath.Glob(pattern)`:                              true,
		`readBounded("/tmp/x", 1)`:                            true,
		`file.Open(path)`:                                     false,
		`os.Open("/proc/self/maps")`:                          false,
		`os.Open(p.path("maps"))`:                             false,
		`os.Open(threadPath(pid, tid, "maps"))`:               false,
		`os.Open(threadPath(pid, tid, "root"))`:               true,
		`os.Open(threadPath(pid, tid, "attr/current"))`:       true,
		`os.Open(threadPath(pid, tid, name))`:                 true,
		`readBounded(fmt.Sprintf("/proc/%d/cgroup", pid), 1)`: false,
		`os.Stat("/sys/kernel/btf/vmlinux")`:                  false,
		`os.NewFile(fd, "x")`:                                 false,
		`unix.Fstat(fd, &s)`:                                  false,
		`unix.Fstatfs(fd, &s)`:                                false,
		`elf.NewFile(r)`:                                      false,
	} {
		const imports = `import ("os"; "fmt"; "path/filepath"; "debug/elf"; "golang.org/x/sys/unix")`
		text := "package p\n" + imports + "\nfunc f() { " + call + " }\n"
		if got := opensIn(t, source.File{Path: "p.go", Text: []byte(text)}); (len(got) > 0) != want {
			t.Errorf("%s: reported %q", call, got)
		}
	}
}
