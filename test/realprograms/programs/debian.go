package programs

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/test/debian"
)

// packages are the Debian packages of the profiled programs and of what their containers' commands use.
var packages = []string{
	"redis-server", "redis-tools", "nginx-light", "apache2-utils", "curl", "python3", "nodejs", "postgresql-15",
	"openssl", "dash", "coreutils",
}

// unused are files that no program here reads: documentation, translations, and the compiler that
// PostgreSQL loads for queries more expensive than those of pgbench. Leaving them out halves the
// image.
var unused = []string{
	"usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/i18n", "usr/share/perl*",
	"usr/lib/*/libLLVM*", "usr/lib/*/libz3*", "usr/lib/*/perl*", "usr/lib/*/libperl*",
}

// suites are the release of Debian that the packages come from.
var suites = []string{"bookworm", "bookworm-security"}

// unpack puts the packages and all that they depend on into a root directory. The directory state
// is for apt's own files. The machine's packages stay as they are.
func unpack(ctx context.Context, state, root string) error {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	apt, err := debian.New(ctx, state, suites, runtime.GOARCH)
	if err != nil {
		return err
	}
	archives, err := apt.DownloadAll(ctx, packages...)
	if err != nil {
		return err
	}
	for _, a := range archives {
		if err := command(ctx, "", "dpkg-deb", "-x", a, root); err != nil {
			return err
		}
	}
	for _, pattern := range unused {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return err
		}
		for _, path := range found {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// command runs a program in a directory. The error of one that fails includes its output.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}
