package object

import (
	"bytes"
	"testing"

	"github.com/ulikunitz/xz"

	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

// Few bytes that unpack to more than the limit are refused, with little memory.
func TestXZBomb(t *testing.T) {
	var packed bytes.Buffer
	w, err := xz.WriterConfig{DictCap: maxDictionary}.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 2*maxMiniDebug>>20 - 1 {
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	fuzzbudget.Enforce(t)
	if unpacked, err := unpackXZ(&packed); err == nil {
		t.Errorf("%d bytes were unpacked", len(unpacked))
	}
}
