package render_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/diff"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/read"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

// Every file that can be read can be written in all formats, and compared, without a crash.
func FuzzForms(f *testing.F) {
	files, err := filepath.Glob("../read/testdata/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range append(files, "testdata/shop.svg", "testdata/hostile.svg") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, file := range files {
		p, err := read.File(file, nil)
		if err != nil {
			f.Fatal(err)
		}
		var pprof bytes.Buffer
		if err := p.WriteUncompressed(&pprof); err != nil {
			f.Fatal(err)
		}
		f.Add(pprof.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzbudget.Enforce(t)
		p, err := read.Data(data)
		if err != nil {
			return
		}
		for _, format := range render.Formats() {
			render.Write(io.Discard, p, format)
		}
		if d, err := diff.Compare(p, p, true); err != nil {
			t.Error(err)
		} else if d.WriteSVG(io.Discard) != nil || d.WriteHTML(io.Discard) != nil || d.WriteTable(io.Discard) != nil {
			t.Error("the difference cannot be written")
		}
	})
}
