package main

import (
	"archive/tar"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

var testFiles = []file{
	{name: "licences", mode: os.ModeDir | 0o755},
	{name: "licences/LICENSE", mode: 0o644, content: []byte("free")},
	{name: "profiler", mode: 0o755, content: []byte("\x7fELF")},
	{name: "tmp", mode: os.ModeDir | os.ModeSticky | 0o777},
}

func TestImageOnDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out", "image.tar")
	img, err := newImage("arm64", "v1.2.3", testFiles)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := save(path, "example.org/profiler:v1.2.3", img)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag("example.org/profiler:v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	read, err := tarball.ImageFromPath(path, &tag)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := read.Digest(); err != nil || again != digest {
		t.Errorf("the file's digest is %v (%v), not %v", again, err, digest)
	}
	config, err := read.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.OS != "linux" || config.Architecture != "arm64" || config.Config.User != "0:0" ||
		!slices.Equal(config.Config.Entrypoint, []string{"/profiler"}) ||
		config.Config.Labels["org.opencontainers.image.version"] != "v1.2.3" {
		t.Errorf("config: %+v", config)
	}
	var entries []string
	rootfs := mutate.Extract(read)
	defer rootfs.Close()
	for files := tar.NewReader(rootfs); ; {
		h, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, strings.TrimSpace(h.FileInfo().Mode().String()+" "+h.Name+" "+string(content)))
	}
	want := []string{"drwxr-xr-x licences", "-rw-r--r-- licences/LICENSE free", "-rwxr-xr-x profiler \x7fELF", "dtrwxrwxrwx tmp"}
	if !slices.Equal(entries, want) {
		t.Errorf("the image holds %q, want %q", entries, want)
	}
}

func TestSameFilesGiveTheSameImage(t *testing.T) {
	var digests []string
	for range 2 {
		img, err := newImage("amd64", "v1", testFiles)
		if err != nil {
			t.Fatal(err)
		}
		d, err := img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, d.String())
	}
	if digests[0] != digests[1] {
		t.Errorf("digests differ: %q", digests)
	}
}

func TestLabelsAreThoseOfTheDockerfile(t *testing.T) {
	dockerfile, err := os.ReadFile("../Dockerfile.profiler")
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range labels("$VERSION") {
		if want := key + `="` + value + `"`; !strings.Contains(string(dockerfile), want) {
			t.Errorf("Dockerfile.profiler lacks %s", want)
		}
	}
}

func TestFilesInADirectory(t *testing.T) {
	root := t.TempDir()
	if err := writeTo(root, testFiles); err != nil {
		t.Fatal(err)
	}
	for _, f := range testFiles {
		info, err := os.Stat(filepath.Join(root, f.name))
		if err != nil || info.Mode() != f.mode {
			t.Errorf("%s: %v, %v; want mode %v", f.name, info, err, f.mode)
		}
	}
}

func TestLicences(t *testing.T) {
	files, err := collectLicences(t.Context(), "arm64")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.name)
		if len(f.content) == 0 {
			t.Errorf("%s is empty", f.name)
		}
	}
	for _, want := range []string{"licences/std@go", "licences/" + module + "/LICENSE", "licences/github.com/spf13/cobra@v", "licences/github.com/cilium/ebpf@v"} {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, want) }) {
			t.Errorf("nothing begins with %s: %q", want, names)
		}
	}
}
