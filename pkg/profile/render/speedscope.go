package render

import (
	"cmp"
	"encoding/json"
	"io"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// speedscopeFile is the file format of speedscope.app (file-format-schema.json): frames by number, and for each type of value a
// list of stacks with their weights.
type speedscopeFile struct {
	Schema   string              `json:"$schema"`
	Exporter string              `json:"exporter"`
	Name     string              `json:"name"`
	Active   int                 `json:"activeProfileIndex"`
	Shared   speedscopeShared    `json:"shared"`
	Profiles []speedscopeProfile `json:"profiles"`
}

type speedscopeShared struct {
	Frames []speedscopeFrame `json:"frames"`
}

type speedscopeFrame struct {
	Name string `json:"name"`
	File string `json:"file,omitempty"`
	Line int64  `json:"line,omitempty"`
}

type speedscopeProfile struct {
	Type    string    `json:"type"`
	Name    string    `json:"name"`
	Unit    string    `json:"unit"`
	Start   int64     `json:"startValue"`
	End     int64     `json:"endValue"`
	Samples [][]int32 `json:"samples"` // root first
	Weights []int64   `json:"weights"`
}

// speedscopeUnits are the units in the schema.
var speedscopeUnits = []string{"bytes", "microseconds", "milliseconds", "nanoseconds", "seconds"}

// writeSpeedscope writes the samples in the order in which they were taken, if they have times, as speedscope shows them over time.
func writeSpeedscope(w io.Writer, p *profile.Profile) error {
	doc := speedscopeFile{
		Schema: "https://www.speedscope.app/file-format-schema.json", Exporter: "kubectl-pprof", Name: title(p), Active: valueIndex(p),
		Shared: speedscopeShared{Frames: []speedscopeFrame{}},
	}
	samples := slices.Clone(p.Sample)
	slices.SortStableFunc(samples, func(a, b *profile.Sample) int { return cmp.Compare(meta.TimeLabel.Get(a), meta.TimeLabel.Get(b)) })
	frames, declared := newFrameTable(p, levelsOf(p)), declarations(p)
	for _, f := range frames.all {
		shared := speedscopeFrame{Name: f.name}
		if fn := declared[f.name]; fn != nil {
			shared.File, shared.Line = printable(fn.Filename), fn.StartLine
		}
		doc.Shared.Frames = append(doc.Shared.Frames, shared)
	}
	stacks := make([][]int32, len(samples))
	for i, s := range samples {
		stacks[i] = append([]int32{}, frames.stackOf(s)...)
	}
	for i, typ := range p.SampleType {
		unit := "none"
		if slices.Contains(speedscopeUnits, typ.Unit) {
			unit = typ.Unit
		}
		one := speedscopeProfile{Type: "sampled", Name: printable(typ.Type), Unit: unit, Samples: stacks, Weights: make([]int64, len(samples))}
		for j, s := range samples {
			one.Weights[j] = s.Value[i]
			one.End += s.Value[i]
		}
		doc.Profiles = append(doc.Profiles, one)
	}
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	return out.Encode(doc)
}
