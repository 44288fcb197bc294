//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// pauseImage is the image of the container that holds a pod's namespaces open. There is no registry
// to pull it from, so it is built from the program in pause/, as a tar in the layout of `docker save`
// (image spec v1.2).
const pauseImage = "kubectl-pprof.test/pause:1"

// load imports an image tar into containerd's namespace for the kubelet.
func load(ctx context.Context, image string) error {
	if _, err := os.Stat(image); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no image %s", image)
	}
	if _, err := os.Stat(containerdSocket); err != nil {
		return errors.New("the cluster is not up; start it with `up`")
	}
	return ctr(ctx, "image", "import", image)
}

func ctr(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "ctr", append([]string{"--address", containerdSocket, "--namespace", "k8s.io"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("ctr %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// loadPauseImage imports the pause image. It fails until containerd responds.
func loadPauseImage(ctx context.Context) error {
	tar := filepath.Join(stateDir, "pause.tar")
	if _, err := os.Stat(tar); err != nil {
		if err := writePauseImage(ctx, tar); err != nil {
			return err
		}
	}
	return load(ctx, tar)
}
