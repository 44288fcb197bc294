//go:build linux

package kernels

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// hostPackages have qemu and the C compilers. Of each, the program that shows it is there.
var hostPackages = map[string]string{
	"qemu-system-x86":        "qemu-system-x86_64",
	"qemu-system-arm":        "qemu-system-aarch64",
	"gcc":                    "x86_64-linux-gnu-gcc",
	"libc6-dev":              "/usr/include/stdio.h",
	"gcc-aarch64-linux-gnu":  "aarch64-linux-gnu-gcc",
	"libc6-dev-arm64-cross":  "/usr/aarch64-linux-gnu/include/stdio.h",
	"dpkg":                   "dpkg-deb",
	"debian-archive-keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
}

// install installs what is missing of the given packages.
func install(t *testing.T, packages map[string]string) {
	t.Helper()
	var missing []string
	for name, file := range packages {
		_, err := exec.LookPath(file)
		if filepath.IsAbs(file) {
			_, err = os.Stat(file)
		}
		if err != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return
	}
	slices.Sort(missing)
	if os.Geteuid() != 0 {
		t.Fatalf("missing Debian packages: %s; install them as root", strings.Join(missing, " "))
	}
	run(t, exec.Command("apt-get", "update", "-q"))
	cmd := exec.Command("apt-get", append([]string{"install", "-y", "-q", "--no-install-recommends"}, missing...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	run(t, cmd)
}

// sources has each series of kernels in some release of Debian.
const sources = `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bullseye main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian-security bullseye-security main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm-backports main
`

func cacheDir(t *testing.T) string {
	t.Helper()
	base, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(base, "kubectl-pprof-kernels")
}

// fetchKernel gives the path of a kernel's image, downloaded if the cache has none of the series.
func fetchKernel(t *testing.T, series, arch string) string {
	t.Helper()
	images := filepath.Join(cacheDir(t), arch, series)
	if found := imageIn(images); found != "" {
		return found
	}
	packages := kernelPackages(t, series, arch)
	var errs []string
	for _, p := range packages { // the newest that the archive lists may be missing from its pool
		if err := download(t, p+":"+arch, images); err != nil {
			errs = append(errs, err.Error())
			continue
		}
		if found := imageIn(images); found != "" {
			return found
		}
	}
	t.Fatalf("no kernel %s for %s can be downloaded; tried %v: %s", series, arch, packages, strings.Join(errs, "; "))
	return ""
}

func imageIn(dir string) string {
	found, _ := filepath.Glob(filepath.Join(dir, "boot", "vmlinuz-*"))
	if len(found) == 0 {
		return ""
	}
	return found[0]
}

// apt runs apt with a state of its own: the machine's packages stay as they are.
func apt(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	state := filepath.Join(cacheDir(t), "apt")
	options := []string{"-q"}
	for key, value := range map[string]string{
		"Dir::State": state, "Dir::State::lists": state + "/lists", "Dir::State::status": state + "/status",
		"Dir::Cache": state + "/cache", "Dir::Etc::sourcelist": state + "/sources.list", "Dir::Etc::sourceparts": "-",
		"APT::Architectures": "amd64,arm64", "APT::Sandbox::User": "root", "Acquire::Languages": "none",
	} {
		options = append(options, "-o", key+"="+value)
	}
	return exec.Command(program, append(options, args...)...)
}

var updateOnce sync.Once

// kernelPackages lists a series' packages, the newest first. The cloud flavour is small and has all
// that a virtual machine needs built in; unsigned, for the signed ones differ only by the signature.
func kernelPackages(t *testing.T, series, arch string) []string {
	t.Helper()
	updateOnce.Do(func() {
		state := filepath.Join(cacheDir(t), "apt")
		for _, dir := range []string{"lists/partial", "cache/archives/partial"} {
			if err := os.MkdirAll(filepath.Join(state, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for name, content := range map[string]string{"sources.list": sources, "status": ""} {
			if err := os.WriteFile(filepath.Join(state, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		run(t, apt(t, "apt-get", "update"))
	})
	pattern := fmt.Sprintf(`^linux-image-%s\.[0-9].*-cloud-%s-unsigned$`, strings.ReplaceAll(series, ".", `\.`), arch)
	var names []string
	for line := range strings.Lines(run(t, apt(t, "apt-cache", "search", "--names-only", pattern))) {
		name, _, _ := strings.Cut(line, " ")
		if !strings.Contains(name, "deb11") || series == "5.10" { // the release's own kernel, not a backport to Debian 11
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if exec.Command("dpkg", "--compare-versions", b, "lt", a).Run() == nil {
			return -1
		}
		return 1
	})
	return names
}

// download unpacks a package into a directory, which then is complete or not there.
func download(t *testing.T, name, dir string) error {
	t.Helper()
	temporary := t.TempDir()
	cmd := apt(t, "apt-get", "download", name)
	cmd.Dir = temporary
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	debs, _ := filepath.Glob(filepath.Join(temporary, "*.deb"))
	if len(debs) != 1 {
		return fmt.Errorf("%s: downloaded %v", name, debs)
	}
	partial := dir + ".partial"
	os.RemoveAll(partial)
	if err := os.MkdirAll(partial, 0o755); err != nil {
		return err
	}
	run(t, exec.Command("dpkg-deb", "-x", debs[0], partial))
	os.RemoveAll(filepath.Join(partial, "lib")) // modules: 100 MB that nobody loads
	os.RemoveAll(filepath.Join(partial, "usr"))
	return os.Rename(partial, dir)
}
