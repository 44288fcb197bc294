//go:build linux

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// removeForeignFiles removes the few files that containerd, its shims, CNI and the kubelet write
// outside of our directories and that no setting moves.
func removeForeignFiles() error {
	var err error
	bundles, _ := filepath.Glob(filepath.Join(runDir, "containerd/io.containerd.runtime.v2.task/k8s.io/*"))
	for _, bundle := range bundles {
		id := filepath.Base(bundle)
		// The shim of a pod writes its socket's address, unix:///run/containerd/s/HASH.
		if address, failed := os.ReadFile(filepath.Join(bundle, "address")); failed == nil {
			err = errors.Join(err, removeIfThere(strings.TrimPrefix(string(address), "unix://")))
		}
		err = errors.Join(err, os.RemoveAll(filepath.Join("/run/containerd/runc/k8s.io", id)))
		results, _ := filepath.Glob("/var/lib/cni/results/*-" + id + "-*")
		for _, result := range results {
			err = errors.Join(err, removeIfThere(result))
		}
	}
	// The kubelet links each container's log there, for log collectors.
	links, _ := filepath.Glob("/var/log/containers/*.log")
	for _, link := range links {
		if to, failed := os.Readlink(link); failed == nil && strings.HasPrefix(to, podLogsDir+"/") {
			err = errors.Join(err, removeIfThere(link))
		}
	}
	return err
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
