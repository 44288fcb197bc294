package render

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// deepStacks returns a profile with the given numbers of stacks and frames, of random functions of 10.
func deepStacks(stacks, depth int) *profile.Profile {
	b, random := newBuilder(), rand.New(rand.NewPCG(1, 2))
	for i := range stacks {
		s := &profile.Sample{Value: []int64{1, int64(i + 1)}}
		for range depth {
			s.Location = append(s.Location, b.location(fmt.Sprintf("main.recurse%d", random.IntN(10))))
		}
		b.Sample = append(b.Sample, s)
	}
	return b.Profile
}

// Of stacks that are too deep for a picture, the frames near the root are drawn.
func TestDeepStacksFitIntoThePicture(t *testing.T) {
	for name, p := range map[string]*profile.Profile{
		"10000 levels": stacksOf(1, 10_000, 10),
		"20000 levels": stacksOf(1, 20_000, 10),
		"65536 levels": stacksOf(1, 65_536, 10),
		"long names":   stacksOf(1, 10_000, 5_000),
		"random":       deepStacks(5, 18_000),
		"many stacks":  deepStacks(200, 500),
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := Write(&out, p, SVG); err != nil {
				t.Fatal(err)
			}
			if out.Len() > svgBudget {
				t.Errorf("%d bytes", out.Len())
			}
			decoder := xml.NewDecoder(bytes.NewReader(out.Bytes()))
			for {
				if _, err := decoder.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if got, err := Read(bytes.NewReader(out.Bytes())); err != nil || len(got.Sample) != len(p.Sample) {
				t.Error("the embedded profile:", err)
			}
			if !strings.Contains(out.String(), "Frames deeper than") && name != "many stacks" {
				t.Error("nothing says that frames are missing")
			}
			if n := bytes.Count(out.Bytes(), []byte("<title>")); n < 50 {
				t.Errorf("%d frames are drawn", n)
			}
			out.Reset()
			if err := Write(&out, p, HTML); err != nil {
				t.Fatal(err)
			}
			if out.Len() > svgBudget {
				t.Errorf("%d bytes as HTML", out.Len())
			}
		})
	}
}
