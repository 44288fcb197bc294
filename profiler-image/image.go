package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// newImage returns an image with the files in one layer.
func newImage(arch, version string, files []file) (v1.Image, error) {
	raw, err := tarOf(files)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(raw)), nil
	}, tarball.WithCompressionLevel(gzip.BestCompression))
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	old, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config := old.DeepCopy()
	config.OS, config.Architecture = "linux", arch
	config.Config = v1.Config{
		Entrypoint: []string{"/profiler"},
		User:       "0:0", // BPF and other processes' memory
		WorkingDir: "/",
		Labels:     labels(version),
	}
	return mutate.ConfigFile(img, config)
}

// labels uses the annotation keys that the OCI image specification defines. Dockerfile.profiler sets
// the same labels.
func labels(version string) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       "kubectl-pprof profiler",
		"org.opencontainers.image.description": "Profiles a running container from outside, by eBPF",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.source":      "https://" + module,
		"org.opencontainers.image.version":     version,
	}
}

// tarOf writes the files without times and owned by root, so that the result depends on the files only.
func tarOf(files []file) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Size: int64(len(f.content)), Mode: int64(f.mode.Perm()), Typeflag: tar.TypeReg, Format: tar.FormatPAX}
		if f.mode.IsDir() {
			h.Typeflag, h.Name = tar.TypeDir, f.name+"/"
		}
		if f.mode&os.ModeSticky != 0 {
			h.Mode |= 0o1000
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	return buf.Bytes(), w.Close()
}

// compressedSize returns how many bytes a node pulls.
func compressedSize(img v1.Image) (int64, error) {
	m, err := img.Manifest()
	if err != nil {
		return 0, err
	}
	size := m.Config.Size
	for _, l := range m.Layers {
		size += l.Size
	}
	return size, nil
}

// save writes the image in the format of `docker save` and returns the image's digest.
func save(path, tag string, img v1.Image) (v1.Hash, error) {
	ref, err := name.NewTag(tag)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("image name: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return v1.Hash{}, err
	}
	if err := tarball.WriteToFile(path, ref, img); err != nil {
		return v1.Hash{}, err
	}
	return img.Digest()
}
