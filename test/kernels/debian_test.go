//go:build linux

package kernels

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/test/debian"
)

// hostPackages are the Debian packages of qemu and the C compilers, each with a file that shows
// that it is installed.
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

// install installs those of the given packages that are missing.
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
	if err := debian.Install(t.Context(), missing...); err != nil {
		t.Fatal(err)
	}
}

// suites are the releases of Debian that together have each series of kernels.
var suites = []string{"bullseye", "bullseye-security", "bookworm", "bookworm-backports"}

// cacheDir returns the directory, below the user's cache, of the downloaded kernels.
func cacheDir() (string, error) {
	base, err := os.UserCacheDir()
	return filepath.Join(base, "kubectl-pprof-kernels"), err
}

// fetchKernel returns the path of a kernel's image. It downloads one if the cache has none of the series.
func fetchKernel(t *testing.T, series, arch string) string {
	t.Helper()
	cache, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	images := filepath.Join(cache, arch, series)
	if found := imageIn(images); found != "" {
		return found
	}
	packages := kernelPackages(t, series, arch)
	var errs []string
	for _, p := range packages { // the archive's pool may lack the newest package that its list names
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

// archive returns an apt with the lists of all suites, which are downloaded once.
var archive = sync.OnceValues(func() (*debian.Apt, error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	return debian.New(context.Background(), filepath.Join(cache, "apt"), suites, "amd64", "arm64")
})

func apt(t *testing.T) *debian.Apt {
	t.Helper()
	a, err := archive()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// kernelPackages lists the packages of a series, the newest first. It chooses the cloud flavour,
// which is small and has built in what a virtual machine needs, without the signature, which makes
// no other difference.
func kernelPackages(t *testing.T, series, arch string) []string {
	t.Helper()
	pattern := fmt.Sprintf(`^linux-image-%s\.[0-9].*-cloud-%s-unsigned$`, strings.ReplaceAll(series, ".", `\.`), arch)
	var names []string
	for line := range strings.Lines(run(t, apt(t).Command(t.Context(), "apt-cache", "search", "--names-only", pattern))) {
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

// download unpacks a package into a directory, which afterwards is complete or does not exist.
func download(t *testing.T, name, dir string) error {
	t.Helper()
	deb, err := apt(t).Download(t.Context(), name, t.TempDir())
	if err != nil {
		return err
	}
	partial := dir + ".partial"
	os.RemoveAll(partial)
	if err := os.MkdirAll(partial, 0o755); err != nil {
		return err
	}
	run(t, exec.Command("dpkg-deb", "-x", deb, partial))
	os.RemoveAll(filepath.Join(partial, "lib")) // modules: 100 MB that nobody loads
	os.RemoveAll(filepath.Join(partial, "usr"))
	return os.Rename(partial, dir)
}
