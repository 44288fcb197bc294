// Command pack puts static programs into one FROM-scratch image, written as a tar that
// `ctr image import` reads: pack -tag NAME -o FILE PROGRAM... Each program is stored as /<base name>.
// With -root DIR the image also contains all files of the directory.
package main

import (
	"archive/tar"
	"compress/gzip"
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
	root := flag.String("root", "", "directory that the image's root directory is a copy of")
	flag.Parse()
	if err := pack(*tag, *out, *root, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func pack(tag, out, root string, programs []string) error {
	ref, err := name.NewTag(tag)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	files, err := os.CreateTemp(filepath.Dir(out), "layer-")
	if err != nil {
		return err
	}
	defer os.Remove(files.Name())
	defer files.Close()
	if err := writeTar(files, root, programs); err != nil {
		return err
	}
	layer, err := tarball.LayerFromFile(files.Name(), tarball.WithCompressionLevel(gzip.BestSpeed))
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
	return tarball.WriteToFile(out, ref, img)
}

// configOf returns an image configuration with the platform and an unprivileged user.
func configOf(img v1.Image) *v1.ConfigFile {
	config, err := img.ConfigFile()
	if err != nil { // our own config always parses
		config = &v1.ConfigFile{}
	}
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config.User = "65532:65532"
	config.Config.WorkingDir = "/"
	return config
}

// writeTar writes the files of root, a world-writable /tmp, and the programs.
func writeTar(to io.Writer, root string, programs []string) error {
	w := tar.NewWriter(to)
	if root != "" {
		if err := w.AddFS(os.DirFS(root)); err != nil {
			return err
		}
	}
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}); err != nil {
		return err
	}
	for _, p := range programs {
		if err := writeProgram(w, p); err != nil {
			return err
		}
	}
	return w.Close()
}

func writeProgram(w *tar.Writer, program string) error {
	f, err := os.Open(program)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: filepath.Base(program), Mode: 0o755, Size: info.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}
