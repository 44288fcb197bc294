package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// kubernetesVersion must be the one in go.mod; clients parse it from the API server's /version.
const kubernetesVersion = "v1.35.4"

// controlplane gives the path of the control-plane program, built if the user's cache lacks it.
// The cache's key is the Kubernetes version and everything of ours that goes into the build.
func controlplane(ctx context.Context) (string, error) {
	source, err := sourceDir(ctx)
	if err != nil {
		return "", err
	}
	key, err := cacheKey(source)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory for the control-plane program: %w; set HOME or XDG_CACHE_HOME", err)
	}
	program := filepath.Join(cache, "kubectl-pprof-cluster", kubernetesVersion+"-"+runtime.GOARCH+"-"+key, "controlplane")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	return program, build(ctx, source, program)
}

// sourceDir is this module's directory, where `go run` was started.
func sourceDir(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		return "", fmt.Errorf("the control-plane program is built from source: run this in the directory test/cluster of a checkout (%w)", err)
	}
	return dir, nil
}

func cacheKey(source string) (string, error) {
	h := sha256.New()
	for _, name := range []string{"go.mod", "go.sum", "controlplane/main.go"} {
		f, err := os.Open(filepath.Join(source, name))
		if err != nil {
			return "", err
		}
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}

// build compiles Kubernetes, which takes minutes: it counts packages as they are compiled.
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
	if err != nil {
		return fmt.Errorf("building Kubernetes %s: %w\n%s", kubernetesVersion, err, progress.tail())
	}
	fmt.Fprintf(os.Stderr, "built in %v\n", time.Since(begin).Round(time.Second))
	return os.Rename(partial, program)
}
