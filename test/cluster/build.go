//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// kubernetesVersion must be the one in go.mod; clients parse it from the API server's /version.
const kubernetesVersion = "v1.35.4"

// controlplane returns the path of the control-plane program. It builds the program if the user's
// cache lacks it. The cache's key is the Kubernetes version and the sources and module files that
// go into the build.
func controlplane(ctx context.Context) (string, error) {
	source, err := sourceDir(ctx)
	if err != nil {
		return "", err
	}
	key, err := cacheKey(source)
	if err != nil {
		return "", err
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	program := filepath.Join(cache, kubernetesVersion+"-"+runtime.GOARCH+"-"+key, "controlplane")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := checkDisk(cache, buildBytes); err != nil {
		return "", err
	}
	if err := build(ctx, source, program); err != nil {
		return "", err
	}
	return program, removeOthers(cache, filepath.Dir(program))
}

// removeOthers removes the programs of other versions, 130 MB each.
func removeOthers(cache, keep string) error {
	dirs, err := filepath.Glob(filepath.Join(cache, "v*"))
	for _, dir := range dirs {
		if dir != keep {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}
	return err
}

// sourceDir returns this module's directory, in which `go run` was started.
func sourceDir(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		return "", fmt.Errorf("the control-plane program is built from source: run this in the directory test/cluster of a checkout (%w)", err)
	}
	return dir, nil
}

func cacheKey(source string) (string, error) {
	files, err := filepath.Glob(filepath.Join(source, "controlplane", "*.go"))
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, path := range append(files, filepath.Join(source, "go.mod"), filepath.Join(source, "go.sum")) {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, filepath.Base(path), len(content))
		h.Write(content)
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}

// build compiles Kubernetes. That takes minutes, so it reports how many packages are compiled.
func build(ctx context.Context, source, program string) error {
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		return err
	}
	major, minor, _ := strings.Cut(strings.TrimPrefix(kubernetesVersion, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	const v = "k8s.io/component-base/version."
	ldflags := fmt.Sprintf("-s -w -X %sgitVersion=%s -X %sgitMajor=%s -X %sgitMinor=%s", v, kubernetesVersion, v, major, v, minor)
	fmt.Fprintf(os.Stderr, "building Kubernetes %s from source, once: some 5 minutes on 2 cores\n", kubernetesVersion)

	partial := program + ".partial"
	// -v names each package on stderr as it is compiled.
	cmd := exec.CommandContext(ctx, "go", "build", "-v", "-trimpath", "-ldflags", ldflags, "-o", partial, "./controlplane")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	progress := newBuildProgress(os.Stderr)
	cmd.Stderr = progress
	begin := time.Now()
	err := cmd.Run()
	progress.stop()
	if ctx.Err() != nil {
		return errors.New("interrupted; what is compiled so far is kept in Go's build cache")
	}
	if err != nil {
		return fmt.Errorf("building Kubernetes %s: %w\n%s", kubernetesVersion, err, progress.tail())
	}
	fmt.Fprintf(os.Stderr, "built in %v\n", time.Since(begin).Round(time.Second))
	return os.Rename(partial, program)
}
