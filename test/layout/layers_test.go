package layout

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/test/source"
)

// layers lists the packages of each part of the repository from the top down. A package may import
// only packages of its part that stand in a lower layer. See ARCHITECTURE.md.
var layers = map[string][][]string{
	"pkg/plugin": {
		{"cli"},
		{"session", "doctor", "view"},
		{"launch"},
		{"target", "access", "stream", "guard", "terminal"},
	},
	"pkg/wire": {
		{"api/internal/apitest"},
		{"api/client", "api/server", "endpoint"},
		{"api", "api/slice", "attach", "logs"},
	},
	"pkg/node": {
		{"profiler"},
		{"capture", "symbol"},
		{"capture/wall"},
		{"capture/sampling", "runtimes/golang/profiles"},
		{"capture/container", "capture/unwindmaps", "capture/verify", "capture/waits", "runtimes/registry"},
		{"capture/builder", "runtimes/golang"},
		{"capture/stack", "runtimes"},
		{"capture/process"},
		{"capture/record", "capture/record/recordtest"},
		{"capture/kernel", "capture/run", "capture/capturetest", "kallsyms", "proc", "unwind"},
		{"capture/bpf"},
		{"object/debuginfo", "object/ehframe", "object/gopclntab"},
		{"object", "object/objecttest", "bounded"},
		{"clean"},
	},
	"pkg/profile": {
		{"diff", "filter", "read"},
		{"merge", "render"},
		{"render/embed"},
		{"meta", "limits", "goframes"},
	},
}

func TestImportsGoDown(t *testing.T) {
	for part, layers := range layers {
		layerOf := func(dir string) int {
			name := strings.TrimPrefix(dir, part+"/")
			return slices.IndexFunc(layers, func(layer []string) bool { return slices.Contains(layer, name) })
		}
		for _, file := range source.Files(t, 10, part) {
			dir := path.Dir(file.Path)
			from := layerOf(dir)
			if from < 0 {
				t.Errorf("%s is not in this test's table of layers", dir)
				continue
			}
			for _, imported := range importsOf(t, filepath.Join(root, file.Path)) {
				if to := layerOf(imported); partOf(imported) == part && to <= from {
					t.Errorf("%s imports %s, which is not in a layer below its own", file.Path, imported)
				}
			}
		}
	}
}
