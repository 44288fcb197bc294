//go:build linux

package process

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Processes share an open file, and with it unwind tables and names, unless another program was written into the file
// between their starts.
func TestFilesAreSharedByContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	write := func(content string, at time.Time) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	p, err := proc.Open(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	table := NewTable(nil, func(record.ProcessIdentity, int, []Mapping) {})
	defer table.Close()
	m := proc.Mapping{Start: 0x1000, End: 0x2000, Inode: 1, Path: path, Exec: true} // at which the test has no file
	began := time.Now()
	write("first", began)
	first, again := table.open(p, m), table.open(p, m)
	write("other", began.Add(time.Second))
	other := table.open(p, m)
	if first == nil || first != again || other == nil || other == first {
		t.Errorf("the files are %p and %p before the writing, %p after it", first, again, other)
	}
}
