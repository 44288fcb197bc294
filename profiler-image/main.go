// Command profiler-image assembles the profiler's image without Docker: from scratch, one static
// program and the licences of the modules linked into it. The same source results in the same bytes.
//
//	go run ./profiler-image -tag NAME -o DIR      # DIR/profiler-linux-<arch>.tar, for ctr image import
//	go run ./profiler-image -arch arm64 -rootfs DIR # the image's files only, for Dockerfile.profiler
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

// maxCompressed is the largest size of an image as it is pulled, in bytes. A user waits for each
// first pull on a node.
const maxCompressed = 12_000_000

type options struct {
	arches  []string
	version string
	tag     string
	out     string
	rootfs  string
}

func main() {
	var o options
	arch := flag.String("arch", "amd64,arm64", "architectures, as in GOARCH, separated by commas")
	flag.StringVar(&o.version, "version", "dev", "version that the program reports")
	flag.StringVar(&o.tag, "tag", "kubectl-pprof/profiler:dev", "name of the image")
	flag.StringVar(&o.out, "o", "out", "directory to write profiler-linux-<arch>.tar to")
	flag.StringVar(&o.rootfs, "rootfs", "", "write the image's files to this directory and make no image")
	flag.Parse()
	o.arches = strings.Split(*arch, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := o.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "profiler-image:", err)
		os.Exit(1)
	}
}

func (o *options) run(ctx context.Context) error {
	if o.rootfs != "" && len(o.arches) != 1 {
		return fmt.Errorf("-rootfs takes one architecture, not %d: add -arch", len(o.arches))
	}
	for _, arch := range o.arches {
		files, err := contents(ctx, arch, o.version)
		if err != nil {
			return err
		}
		if o.rootfs != "" {
			return writeTo(o.rootfs, files)
		}
		if err := o.assemble(arch, files); err != nil {
			return err
		}
	}
	return nil
}

func (o *options) assemble(arch string, files []file) error {
	img, err := newImage(arch, o.version, files)
	if err != nil {
		return err
	}
	size, err := compressedSize(img)
	if err != nil {
		return err
	}
	path := filepath.Join(o.out, "profiler-linux-"+arch+".tar")
	digest, err := save(path, o.tag, img)
	if err != nil {
		return err
	}
	fmt.Printf("%s\t%s\t%s\t%.1f MB compressed\n", path, o.tag, digest, float64(size)/1e6)
	if size > maxCompressed {
		return fmt.Errorf("the image for %s has %d bytes compressed; at most %d are allowed", arch, size, maxCompressed)
	}
	return nil
}
