//go:build linux

package proc

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

const id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
const nested = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

func TestParseCgroup(t *testing.T) {
	for name, c := range map[string]struct {
		text, id, path string
		unified        bool
	}{
		"v2, systemd driver": {"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-" + id + ".scope\n", id,
			"/kubepods.slice/kubepods-pod1.slice/cri-containerd-" + id + ".scope", true},
		"v2, relative to another container": {"0::/../cri-containerd-" + id + ".scope\n", id, "/../cri-containerd-" + id + ".scope", true},
		"v1, cgroupfs driver":               {"9:name=systemd:/\n4:memory:/kubepods/pod1/" + id + "\n0::/\n", id, "/kubepods/pod1/" + id, false},
		"hybrid, unified names a service":   {"4:memory:/kubepods/pod1/" + id + "\n0::/system.slice/containerd.service\n", "", "/kubepods/pod1/" + id, false},
		"no container":                      {"4:memory:/user.slice\n0::/\n", "", "", false},
		"broken lines":                      {"x\n::\n4:memory\n", "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			path, unified := parseCgroup(c.text, c.id)
			if path != c.path || unified != c.unified {
				t.Errorf("got %q, unified %v; want %q, %v", path, unified, c.path, c.unified)
			}
		})
	}
}

func TestInnermost(t *testing.T) {
	for path, want := range map[string]struct {
		id    string
		depth int
	}{
		"/kubepods/burstable/pod1/" + id:                                       {id, 0},
		"/kubepods/pod1/" + id + "/init.scope":                                 {id, 1},
		"/docker/" + nested + "/kubelet/kubepods/pod1/" + id:                   {id, 0}, // kind
		"/kubepods.slice/crio-" + id + ".scope/container":                      {id, 1},
		"/kubepods.slice/kubepods-pod1.slice/crio-conmon-" + id + ".scope":     {"", 0}, // the container's monitor
		"/kubepods/pod1/crio-conmon-" + id:                                     {"", 0},
		"/machine.slice/libpod-conmon-" + id + ".scope":                        {"", 0},
		"/kubepods/pod1/" + id[:63]:                                            {"", 0},
		"/kubepods/pod1/" + strings.ToUpper(id[:40]) + strings.Repeat("G", 24): {"", 0},
	} {
		if got, depth := innermost(path, ""); got != want.id || depth != want.depth {
			t.Errorf("%s: got %q at depth %d", path, got, depth)
		}
	}
	// A container that runs nested containers is found by its own ID.
	if got, depth := innermost("/kubepods/pod1/"+id+"/docker/"+nested, id); got != id || depth != 2 {
		t.Errorf("got %q at depth %d", got, depth)
	}
}

func TestParseMappings(t *testing.T) {
	const maps = `00400000-00401000 r--p 00000000 fe:00 1234                       /app/prog
00401000-00402000 r-xp 00001000 fe:00 1234                       /app/prog with space (deleted)
7f0000000000-7f0000001000 rwxp 00000000 00:00 0
7fff00000000-7fff00001000 r-xp 00000000 00:00 0                          [vdso]
`
	got, err := mappingsOf(t.Context(), strings.NewReader(maps))
	if err != nil {
		t.Fatal(err)
	}
	want := []Mapping{
		{Start: 0x401000, End: 0x402000, Offset: 0x1000, Dev: "fe:00", Inode: 1234, Path: "/app/prog with space (deleted)", Exec: true},
		{Start: 0x7f0000000000, End: 0x7f0000001000, Dev: "00:00", Exec: true},
		{Start: 0x7fff00000000, End: 0x7fff00001000, Dev: "00:00", Path: "[vdso]", Exec: true},
	}
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
	for _, bad := range []string{"x", "1-2 r-xp", "2-1 r-xp 0 0:0 0", "1-2 rx 0 0:0 0", "1-2 r-xp zz 0:0 0", strings.Repeat("a", 10_000) + "\n" + "1-2 r-xp 0 0:0 0 /a"} {
		if _, err := parseMappings(t.Context(), strings.NewReader(bad)); err == nil {
			t.Errorf("%.40q was accepted", bad)
		}
	}
}

// A path that is too long is cut and does not affect other mappings.
func TestParseMappingsWithLongPath(t *testing.T) {
	const first = "1000-2000 r-xp 00000000 fe:00 7 /"
	long := first + strings.Repeat(`\012`, 4000)
	got, err := mappingsOf(t.Context(), strings.NewReader(long+"\n2000-3000 r-xp 00000000 fe:00 8 /b\n"))
	if err != nil || len(got) != 2 {
		t.Fatalf("got %d mappings, %v", len(got), err)
	}
	if got[0].Inode != 7 || len(got[0].Path) != maxLine-len(first)+1 || got[1].Path != "/b" {
		t.Errorf("got inode %d with %d bytes of path, then %+v", got[0].Inode, len(got[0].Path), got[1])
	}
}

func TestAnonymous(t *testing.T) {
	for path, want := range map[string]bool{
		"": true, "[heap]": true, "[anon:v8]": true, "//anon": true, "[vdso]": false, "[vsyscall]": false, "[uprobes]": false,
	} {
		if got := (Mapping{Path: path}).Anonymous(); got != want {
			t.Errorf("%q: got %v", path, got)
		}
	}
	for path, want := range map[string]bool{
		"/memfd:doublemapper (deleted)": true, "/dev/zero (deleted)": true, "/SYSV00000000 (deleted)": true, "/app/memfd:x": false,
	} {
		if got := (Mapping{Path: path, Inode: 7}).Anonymous(); got != want {
			t.Errorf("%q: got %v", path, got)
		}
	}
}

func TestInnermostPID(t *testing.T) {
	if got := innermostPID("Name:\tx\nNSpid:\t4711\t12\t1\n", 4711); got != 1 {
		t.Errorf("got %d, want 1", got)
	}
	if got := innermostPID("Name:\tx\n", 4711); got != 4711 {
		t.Errorf("got %d, want 4711", got)
	}
}

// Open and Mappings read this test's own process.
func TestOpenOwnProcess(t *testing.T) {
	p, err := Open(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if p.StartTime == 0 || p.Name == "" {
		t.Errorf("got %+v", p)
	}
	mappings, err := p.Mappings()
	if err != nil || len(mappings) == 0 {
		t.Fatalf("%v, %v", mappings, err)
	}
	if _, err := Open(1 << 22); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a process that does not exist: %v", err)
	}
}

func TestNoContainer(t *testing.T) {
	if _, err := InContainer(strings.Repeat("e", 64)); !errors.Is(err, ErrNoContainer) {
		t.Errorf("want ErrNoContainer, got %v", err)
	}
}

// Symbolic links of the target that point outside its root are resolved within the root.
func TestLinksStayInRoot(t *testing.T) {
	need.Root(t) // to change a process's root
	root := t.TempDir()
	if err := os.Symlink("../../../../etc/passwd", filepath.Join(root, "escape")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(root, "absolute")); err != nil {
		t.Fatal(err)
	}
	sleeper := filepath.Join(root, "sleeper")
	build := exec.Command("go", "build", "-o", sleeper, "./testdata/sleeper")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command("/sleeper")
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	p, err := Open(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/escape", "/absolute"} {
		if f, err := p.OpenInRoot(name); err == nil {
			f.Close()
			t.Errorf("%s was opened outside the root", name)
		}
	}
	f, err := p.OpenInRoot("/sleeper")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.BuildID() == "" {
		t.Error("a Go program has no build ID")
	}
}

func FuzzReaders(f *testing.F) {
	f.Add([]byte("00401000-00402000 r-xp 00001000 fe:00 1234 /app/prog\n"))
	f.Add([]byte("0::/kubepods/pod1/" + id + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzbudget.Enforce(t)
		parseMappings(t.Context(), bytes.NewReader(data))
		parseCgroup(string(data), "")
		innermostPID(string(data), 1)
		parseMappings(t.Context(), bytes.NewReader(bytes.Repeat(data, 300)))
	})
}
