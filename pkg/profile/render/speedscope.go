package render

import (
	"bufio"
	"bytes"
	"cmp"
	"io"
	"slices"
	"strconv"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// speedscopeFile is the file format of speedscope.app (file-format-schema.json): frames by number. It is followed by "profiles", a
// list of stacks with their weights for each type of value.
type speedscopeFile struct {
	Schema   string           `json:"$schema"`
	Exporter string           `json:"exporter"`
	Name     string           `json:"name"`
	Active   int              `json:"activeProfileIndex"`
	Shared   speedscopeShared `json:"shared"`
}

type speedscopeShared struct {
	Frames []speedscopeFrame `json:"frames"`
}

type speedscopeFrame struct {
	Name string `json:"name"`
	File string `json:"file,omitempty"`
	Line int64  `json:"line,omitempty"`
}

// speedscopeProfile is followed by "samples", the stacks, root first, and by "weights", their values.
type speedscopeProfile struct {
	Type  string `json:"type"`
	Name  string `json:"name"`
	Unit  string `json:"unit"`
	Start int64  `json:"startValue"`
	End   int64  `json:"endValue"`
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
	head, err := jsonText(doc)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	out.Write(bytes.TrimSuffix(head, []byte("}")))
	out.WriteString(`,"profiles":[`)
	for i := range p.SampleType {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := writeSpeedscopeProfile(out, p.SampleType[i], samples, i, frames); err != nil {
			return err
		}
	}
	out.WriteString("]}\n")
	return out.Flush()
}

// writeSpeedscopeProfile writes the stacks with the values of the type with the given index. The stacks are written again for each
// type, so they are not collected first.
func writeSpeedscopeProfile(out *bufio.Writer, typ *profile.ValueType, samples []*profile.Sample, index int, frames *frameTable) error {
	one := speedscopeProfile{Type: "sampled", Name: printable(typ.Type), Unit: "none"}
	if slices.Contains(speedscopeUnits, typ.Unit) {
		one.Unit = typ.Unit
	}
	for _, s := range samples {
		one.End += s.Value[index]
	}
	head, err := jsonText(one)
	if err != nil {
		return err
	}
	out.Write(bytes.TrimSuffix(head, []byte("}")))
	for i, s := range samples {
		separator := ","
		if i == 0 {
			separator = `,"samples":[`
		}
		if _, err := out.WriteString(separator); err != nil { // bufio keeps the error of an earlier write
			return err
		}
		writeNumbers(out, frames.stackOf(s))
	}
	if len(samples) == 0 {
		out.WriteString(`,"samples":[`)
	}
	weights := make([]int64, len(samples))
	for i, s := range samples {
		weights[i] = s.Value[index]
	}
	out.WriteString(`],"weights":`)
	writeNumbers(out, weights)
	return out.WriteByte('}')
}

// writeNumbers writes numbers as a list in JSON.
func writeNumbers[T int32 | int64](out *bufio.Writer, numbers []T) {
	out.WriteByte('[')
	for i, n := range numbers {
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(strconv.AppendInt(out.AvailableBuffer(), int64(n), 10))
	}
	out.WriteByte(']')
}
