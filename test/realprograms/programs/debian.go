package programs

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// packages have the programs, and what the commands of the containers are written with.
var packages = []string{
	"redis-server", "redis-tools", "nginx-light", "apache2-utils", "curl", "python3", "nodejs", "postgresql-15",
	"openssl", "dash", "coreutils",
}

// unused is what nothing here reads: documentation, translations, and the compiler that PostgreSQL
// loads for queries costlier than pgbench's. Left out, they halve the image.
var unused = []string{
	"usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/i18n", "usr/share/perl*",
	"usr/lib/*/libLLVM*", "usr/lib/*/libz3*", "usr/lib/*/perl*", "usr/lib/*/libperl*",
}

const sources = `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian-security bookworm-security main
`

// unpack puts the packages and all that they depend on into a root directory. apt gets a state of its
// own in which nothing is installed: so it downloads everything, and the machine stays as it is.
func unpack(ctx context.Context, state, root string) error {
	for _, dir := range []string{state + "/lists/partial", state + "/cache/archives/partial", root} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for name, content := range map[string]string{"sources.list": sources, "status": ""} {
		if err := os.WriteFile(filepath.Join(state, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	options := []string{"-q", "-y", "--no-install-recommends", "--download-only"}
	for key, value := range map[string]string{
		"Dir::State": state, "Dir::State::lists": state + "/lists", "Dir::State::status": state + "/status",
		"Dir::Cache": state + "/cache", "Dir::Etc::sourcelist": state + "/sources.list", "Dir::Etc::sourceparts": "-",
		"APT::Architecture": runtime.GOARCH, "APT::Architectures": runtime.GOARCH,
		"APT::Sandbox::User": "root", "Acquire::Languages": "none",
	} {
		options = append(options, "-o", key+"="+value)
	}
	if err := command(ctx, "", "apt-get", append(options, "update")...); err != nil {
		return err
	}
	if err := command(ctx, "", "apt-get", append(append(options, "install"), packages...)...); err != nil {
		return err
	}
	archives, err := filepath.Glob(filepath.Join(state, "cache", "archives", "*.deb"))
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

// command runs a program in a directory; its output is told only when it fails.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}
