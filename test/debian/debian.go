// Package debian downloads packages of releases of Debian other than the machine's, by an apt with
// a state of its own, so that the machine's packages stay as they are. New is its entry point. The
// mirror is the one that the machine's own apt uses.
package debian

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// keyring has the keys of all releases; it is in Debian's package debian-archive-keyring.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// Apt runs apt's programs on its own lists of packages, with no package installed.
type Apt struct {
	dir           string // of its state
	architectures []string
}

// New prepares an apt in a directory of its own and downloads the lists of the suites. A suite is a
// release's name, such as bookworm or bookworm-security. The first architecture is the one of
// unqualified packages.
func New(ctx context.Context, dir string, suites []string, architectures ...string) (*Apt, error) {
	mirrors, err := findMirrors(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	for name, content := range map[string]string{"sources.list": mirrors.sources(suites), "status": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	a := &Apt{dir, architectures}
	return a, a.run(ctx, "", "update")
}

// Command returns a run of one of apt's programs, such as apt-cache.
func (a *Apt) Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	all := []string{"-q"}
	for key, value := range map[string]string{
		"Dir::State": a.dir, "Dir::State::lists": a.dir + "/lists", "Dir::State::status": a.dir + "/status",
		"Dir::Cache": a.dir + "/cache", "Dir::Etc::sourcelist": a.dir + "/sources.list", "Dir::Etc::sourceparts": "-",
		"APT::Architecture": a.architectures[0], "APT::Architectures": strings.Join(a.architectures, ","),
		"APT::Sandbox::User": "root", "Acquire::Languages": "none",
	} {
		all = append(all, "-o", key+"="+value)
	}
	return exec.CommandContext(ctx, program, append(all, args...)...)
}

// Download downloads one package and returns the path of the file in the given directory.
func (a *Apt) Download(ctx context.Context, name, dir string) (string, error) {
	if err := a.run(ctx, dir, "download", name); err != nil {
		return "", err
	}
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(debs) != 1 {
		return "", fmt.Errorf("package %s: downloaded %v (%v)", name, debs, err)
	}
	return debs[0], nil
}

// DownloadAll downloads packages and all that they depend on, and returns the files' paths.
func (a *Apt) DownloadAll(ctx context.Context, names ...string) ([]string, error) {
	if err := a.run(ctx, "", append([]string{"install", "-y", "--no-install-recommends", "--download-only"}, names...)...); err != nil {
		return nil, err
	}
	return filepath.Glob(filepath.Join(a.dir, "cache", "archives", "*.deb"))
}

func (a *Apt) run(ctx context.Context, dir string, args ...string) error {
	cmd := a.Command(ctx, "apt-get", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// Install installs packages on this machine, as root.
func Install(ctx context.Context, names ...string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("missing Debian packages: %s; install them as root", strings.Join(names, " "))
	}
	for _, args := range [][]string{{"update", "-q"}, append([]string{"install", "-y", "-q", "--no-install-recommends"}, names...)} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}

// mirrors are the addresses of Debian's archive and of its security updates.
type mirrors struct{ archive, security string }

// indexFormat makes `apt-get indextargets` print an index's address and the origin and label that
// its Release file states (apt-get(8), "indextargets";
// https://wiki.debian.org/DebianRepository/Format).
const indexFormat = "$(REPO_URI) $(ORIGIN) $(LABEL)"

// findMirrors asks the machine's apt, which reads sources.list and sources.list.d in all of their forms.
func findMirrors(ctx context.Context) (mirrors, error) {
	m, err := listMirrors(ctx)
	if err != nil || m.archive != "" {
		return m, err
	}
	// apt knows the origin of a source only after an update, which a fresh image has not had.
	if err := Install(ctx); err != nil {
		return mirrors{}, err
	}
	if m, err = listMirrors(ctx); err == nil && m.archive == "" {
		err = errors.New("apt on this machine has no source with the origin Debian: add one to /etc/apt/sources.list.d")
	}
	return m, err
}

func listMirrors(ctx context.Context) (mirrors, error) {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", indexFormat, "Created-By: Packages").Output()
	if err != nil {
		return mirrors{}, fmt.Errorf("asking apt-get indextargets for Debian's mirror: %w", err)
	}
	return parseMirrors(string(out)), nil
}

// parseMirrors reads lines in indexFormat; the first of each kind counts.
func parseMirrors(targets string) (m mirrors) {
	for line := range strings.Lines(targets) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[1] != "Debian" {
			continue
		}
		switch uri := strings.TrimSuffix(fields[0], "/"); {
		case fields[2] == "Debian" && m.archive == "":
			m.archive = uri
		case fields[2] == "Debian-Security" && m.security == "":
			m.security = uri
		}
	}
	if m.security == "" { // mirrors keep it beside the archive
		m.security = m.archive + "-security"
	}
	return m
}

// sources returns a sources.list of the suites; those of security updates end in -security.
func (m mirrors) sources(suites []string) string {
	var list strings.Builder
	for _, suite := range suites {
		mirror := m.archive
		if strings.HasSuffix(suite, "-security") {
			mirror = m.security
		}
		fmt.Fprintf(&list, "deb [signed-by=%s] %s %s main\n", keyring, mirror, suite)
	}
	return list.String()
}
