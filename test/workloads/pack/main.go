// Command pack puts static programs into one FROM-scratch image, written as a tar that
// `ctr image import` reads: pack -tag NAME -o FILE PROGRAM... Each program lands at /<base name>.
package main

import (
	"archive/tar"
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func main() {
	tag := flag.String("tag", "", "name of the image")
	out := flag.String("o", "", "file to write")
	flag.Parse()
	if err := pack(*tag, *out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func pack(tag, out string, programs []string) error {
	ref, err := name.NewTag(tag)
	if err != nil {
		return err
	}
	files, err := tarOf(programs)
	if err != nil {
		return err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(files)), nil
	})
	if err != nil {
		return err
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return err
	}
	img, err = mutate.ConfigFile(img, configOf(img))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	return tarball.WriteToFile(out, ref, img)
}

// configOf names the platform and an unprivileged user: the pods under test are non-root.
func configOf(img v1.Image) *v1.ConfigFile {
	config, err := img.ConfigFile()
	if err != nil { // a config of our own making always parses
		config = &v1.ConfigFile{}
	}
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config.User = "65532:65532"
	config.Config.WorkingDir = "/"
	return config
}

func tarOf(programs []string) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, dir := range []string{"tmp/"} {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o1777}); err != nil {
			return nil, err
		}
	}
	for _, p := range programs {
		content, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		if err := w.WriteHeader(&tar.Header{Name: filepath.Base(p), Mode: 0o755, Size: int64(len(content))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(content); err != nil {
			return nil, err
		}
	}
	return buf.Bytes(), w.Close()
}
