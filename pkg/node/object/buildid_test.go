package object

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

func TestBuildIDs(t *testing.T) {
	note := func(owner string, kind uint32, content string) []byte {
		b := binary.LittleEndian.AppendUint32(nil, uint32(len(owner)+1))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(content)))
		b = binary.LittleEndian.AppendUint32(b, kind)
		for _, s := range []string{owner + "\x00", content} {
			b = append(b, s...)
			b = append(b, make([]byte, (4-len(s)%4)%4)...)
		}
		return b
	}
	notes := bytes.Join([][]byte{note("XYZ", 3, "other"), note("GNU", 3, "\x01\x02"), note("Go", 4, "go/id")}, nil)
	if gnu, goID := parseBuildIDs(notes); gnu != "0102" || goID != "go/id" {
		t.Errorf("got %q and %q", gnu, goID)
	}
}

func FuzzBuildID(f *testing.F) {
	f.Add([]byte("\x04\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00GNU\x00\x01\x02\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzbudget.Enforce(t)
		parseBuildIDs(data)
		if o, err := Open(bytes.NewReader(data)); err == nil {
			o.BuildID()
		}
	})
}
