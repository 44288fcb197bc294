package programs

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/pprof/profile"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

//go:embed files
var files embed.FS

// passwd names the user that pack sets in an image. PostgreSQL requires a user with a name, other
// than root.
const passwd = "root:x:0:0:root:/root:/bin/sh\nprograms:x:65532:65532::/tmp:/bin/sh\n"

// Image is the programs' image in the test cluster, with the directory that it was packed from.
type Image struct {
	Name string
	Root string
}

// Load builds the image unless the user's cache has a current one, and imports it into the test
// cluster of this machine unless its node has it.
func Load(ctx context.Context, client kubernetes.Interface) (Image, error) {
	module, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return Image{}, fmt.Errorf("the programs' image is packed by tools of this repository, run this in a checkout: %w", err)
	}
	checkout := strings.TrimSpace(string(module))
	caches, err := os.UserCacheDir()
	if err != nil {
		return Image{}, err
	}
	found, _ := filepath.Glob(filepath.Join(caches, "kubectl-pprof-cluster", "*", "controlplane"))
	if len(found) != 1 {
		return Image{}, fmt.Errorf("%d control-plane programs in the cache, one is needed: start the test cluster first", len(found))
	}
	cache := filepath.Join(caches, "kubectl-pprof-realprograms")
	key := cacheKey(found[0])
	image := Image{Name: "kubectl-pprof/realprograms:" + key, Root: filepath.Join(cache, key, "root")}
	tar := filepath.Join(cache, key, "image.tar")
	if _, err := os.Stat(tar); err != nil {
		if err := build(ctx, checkout, cache, key, image.Name, found[0]); err != nil {
			return Image{}, err
		}
	}
	if there, err := onNode(ctx, client, image.Name); there || err != nil {
		return image, err
	}
	return image, command(ctx, filepath.Join(checkout, "test", "cluster"), "go", "run", ".", "load", tar)
}

// cacheKey returns a hash of everything that goes into the image except the versions of Debian's
// packages.
func cacheKey(controlplane string) string {
	h := sha256.New()
	somePprof().Write(h) // writing to a hash never fails
	fmt.Fprintln(h, pprofModule, runtime.GOARCH, packages, unused, suites, passwd, filepath.Base(filepath.Dir(controlplane)))
	for _, name := range fileNames() {
		content, _ := files.ReadFile(name) // the files are embedded, so reading cannot fail
		fmt.Fprintf(h, "%s %d\n%s", name, len(content), content)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

func fileNames() []string {
	names, _ := fs.Glob(files, "files/*") // fails only for a wrong pattern
	return names
}

// build creates the directory of a key, which afterwards is complete or does not exist, and removes
// other keys' directories.
func build(ctx context.Context, checkout, cache, key, tag, controlplane string) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	partial, err := os.MkdirTemp(cache, "partial-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(partial)
	root := filepath.Join(partial, "root")
	if err := unpack(ctx, filepath.Join(partial, "apt"), root); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(partial, "apt")); err != nil {
		return err
	}
	if err := addFiles(root); err != nil {
		return err
	}
	if err := addPprof(ctx, checkout, root); err != nil {
		return err
	}
	if err := command(ctx, checkout, "go", "run", "./test/workloads/pack", "-tag", tag, "-root", root,
		"-o", filepath.Join(partial, "image.tar"), controlplane); err != nil {
		return err
	}
	others, err := filepath.Glob(filepath.Join(cache, "*"))
	for _, dir := range others {
		if !strings.HasPrefix(filepath.Base(dir), "partial-") {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}
	return errors.Join(err, os.Rename(partial, filepath.Join(cache, key)))
}

// pprofModule is installed in the version of this module's go.mod, which has been downloaded already.
const pprofModule = "github.com/google/pprof"

// addPprof adds google/pprof, a server in Go that imports neither runtime/pprof nor net/http/pprof,
// and a profile for it.
func addPprof(ctx context.Context, checkout, root string) error {
	version, err := exec.CommandContext(ctx, "go", "list", "-C", checkout, "-m", "-f", "{{.Version}}", pprofModule).Output()
	if err != nil {
		return err
	}
	if err := command(ctx, "", "env", "CGO_ENABLED=0", "GOFLAGS=", "GOBIN="+root, "go", "install", "-ldflags=-s -w", pprofModule+"@"+strings.TrimSpace(string(version))); err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(root, "etc", "realprograms", "profile.pb.gz"))
	if err != nil {
		return err
	}
	return errors.Join(somePprof().Write(out), out.Close())
}

// somePprof returns a profile of a thousand stacks.
func somePprof() *profile.Profile {
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "cpu", Unit: "nanoseconds"}}}
	for id := range uint64(300) {
		f := &profile.Function{ID: id + 1, Name: fmt.Sprintf("example.org/service.(*Handler).step%03d", id), Filename: "service.go"}
		p.Function = append(p.Function, f)
		p.Location = append(p.Location, &profile.Location{ID: id + 1, Line: []profile.Line{{Function: f, Line: int64(id)}}})
	}
	for i := range 1000 {
		s := &profile.Sample{Value: []int64{int64(i+1) * 1e6}}
		for depth := range 20 {
			s.Location = append(s.Location, p.Location[(i*(20-depth)+7*depth)%len(p.Location)])
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

// addFiles adds the scripts and configurations of the programs, and the user that runs them.
func addFiles(root string) error {
	dir := filepath.Join(root, "etc", "realprograms")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range fileNames() {
		content, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), content, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(root, "etc", "passwd"), []byte(passwd), 0o644)
}

// onNode reports whether a node of the cluster lists the image as present. A node lists its images
// with a delay, and not all of them. Importing an image again does no harm.
func onNode(ctx context.Context, client kubernetes.Interface, name string) (bool, error) {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, err
	}
	for _, n := range nodes.Items {
		for _, i := range n.Status.Images {
			for _, have := range i.Names {
				if strings.HasSuffix(have, "/"+name) {
					return true, nil
				}
			}
		}
	}
	return false, nil
}
