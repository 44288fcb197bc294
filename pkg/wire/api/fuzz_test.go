package api

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

func FuzzParseRequest(f *testing.F) {
	for _, seed := range []string{
		"", "seconds=30&frequency=99&capture=abc&pid=1&pid=2", "seconds=NaN", "seconds=1e309", "seconds=-0",
		"seconds=0.0000000001", "frequency=1e3", "pid=99999999999", "capture=%00", "seconds=%31", "a;b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		fuzzbudget.Enforce(t)
		q, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		r, err := CPU.Parse(q)
		if err != nil {
			return
		}
		if r.Duration <= 0 || r.Duration > MaxDuration || r.Frequency < 1 || r.Frequency > requirements.MaxFrequency || len(r.PIDs) > MaxPIDs {
			t.Fatalf("%q gave %+v", raw, r)
		}
		again, err := CPU.Parse(r.Query())
		if err != nil || fmt.Sprint(again) != fmt.Sprint(r) {
			t.Fatalf("%+v came back as %+v, %v", r, again, err)
		}
	})
}

func FuzzParseDigest(f *testing.F) {
	f.Add("sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:")
	f.Add("md5=::, sha-256=:AAAA:")
	f.Fuzz(func(t *testing.T, header string) {
		fuzzbudget.Enforce(t)
		sum, err := ParseDigest(header)
		if err != nil {
			return
		}
		if again, err := ParseDigest(FormatDigest(sum)); err != nil || again != sum {
			t.Fatalf("%q: %x came back as %x, %v", header, sum, again, err)
		}
	})
}
