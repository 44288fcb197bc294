package object

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/objecttest"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

func TestGoBuildInfo(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	f, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := f.GoBuildInfo(); err != nil || !strings.HasPrefix(info.GoVersion, "go1.") {
		t.Errorf("got %+v, %v", info, err)
	}
}

// The list of modules claims 2 GiB, which a sparse file has, or the search for it covers 1 TB.
func TestHostileGoBuildInfo(t *testing.T) {
	claims := append([]byte("\xff Go buildinf:\x08\x02"), make([]byte, 16)...)
	claims = append(append(claims, 8), "go1.22.0"...)
	claims = binary.AppendUvarint(claims, 2<<30)
	for name, content := range map[string][]byte{"claims": claims, "nothing": nil} {
		t.Run(name, func(t *testing.T) {
			data := objecttest.Data(4096, 4096, 1<<40)
			data.Flags |= uint32(elf.PF_W)
			i := objecttest.Image{Size: 1<<40 + 8192, Segments: []elf.Prog64{data}, Data: map[uint64][]byte{4096: content}}
			r := i.Reader()
			fuzzbudget.Enforce(t)
			f, err := Open(r)
			if err != nil {
				t.Fatal(err)
			}
			if info, err := f.GoBuildInfo(); err == nil || !strings.HasPrefix(err.Error(), "/lib/hostile.so: ") {
				t.Errorf("got %+v, %v", info, err)
			}
			if r.Bytes > 2*maxBuildInfo {
				t.Errorf("%d bytes were read", r.Bytes)
			}
		})
	}
}
