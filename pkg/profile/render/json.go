package render

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/google/pprof/profile"
)

// jsonVersion is the version of the schema in docs/json.md. It goes up when a field is removed or changes its meaning, not when one
// is added.
const jsonVersion = 1

// jsonDocument is the JSON format, which docs/json.md describes, without the tree "root" at its end.
type jsonDocument struct {
	Version         int             `json:"version"`
	Type            string          `json:"type"`
	Unit            string          `json:"unit"`
	Time            time.Time       `json:"time"`
	DurationSeconds float64         `json:"durationSeconds"`
	Samples         int64           `json:"samples"`
	Comments        []string        `json:"comments"`
	Functions       []*jsonFunction `json:"functions"`
}

// jsonFunction has the values of a function over all stacks. Value counts a recursion once.
type jsonFunction struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	File  string `json:"file,omitempty"`
	Line  int64  `json:"line,omitempty"`
	Self  int64  `json:"self"`
	Value int64  `json:"value"`
}

func writeJSON(w io.Writer, p *profile.Profile) error {
	index := valueIndex(p)
	head, err := jsonText(jsonDocument{
		Version: jsonVersion, Type: printable(p.SampleType[index].Type), Unit: printable(p.SampleType[index].Unit),
		Time: time.Unix(0, p.TimeNanos).UTC(), DurationSeconds: time.Duration(p.DurationNanos).Seconds(),
		Samples: totals(p).Samples, Functions: jsonFunctions(p), Comments: printables(p.Comments),
	})
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	out.Write(bytes.TrimSuffix(head, []byte("}")))
	out.WriteString(`,"root":`)
	if err := writeJSONTree(out, newFlame(p)); err != nil {
		return err
	}
	out.WriteString("}\n")
	return out.Flush()
}

// writeJSONTree writes the tree of frames as nested objects: a frame's name, its value with those of the frames that it called,
// its own value unless that is 0, and these frames. It does not recurse and holds no tree of objects, because stacks may be tens of
// thousands of frames deep, and the tree may have millions of frames.
func writeJSONTree(out *bufio.Writer, tree *flame) error {
	names := make([][]byte, len(tree.frames))
	for i := range tree.parent {
		switch {
		case i == 0:
		case tree.parent[i] == int32(i-1):
			out.WriteString(`,"children":[`)
		default:
			out.WriteByte('}')
			for range tree.depth[i-1] - tree.depth[i] {
				out.WriteString("]}")
			}
			out.WriteByte(',')
		}
		name := &names[tree.frame[i]]
		if *name == nil {
			text, err := jsonText(tree.at(int32(i)).name)
			if err != nil {
				return err
			}
			*name = text
		}
		if _, err := out.WriteString(`{"name":`); err != nil { // bufio keeps the error of an earlier write
			return err
		}
		out.Write(*name)
		out.WriteString(`,"value":`)
		out.Write(strconv.AppendInt(out.AvailableBuffer(), tree.total[i], 10))
		if self := tree.self[i]; self != 0 {
			out.WriteString(`,"self":`)
			out.Write(strconv.AppendInt(out.AvailableBuffer(), self, 10))
		}
	}
	out.WriteByte('}')
	for range tree.depth[len(tree.depth)-1] {
		out.WriteString("]}")
	}
	return nil
}

// jsonText returns a value as JSON. Unlike json.Marshal it does not escape the characters that are special in HTML.
func jsonText(v any) ([]byte, error) {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	err := out.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func printables(texts []string) []string {
	all := make([]string, len(texts))
	for i, t := range texts {
		all[i] = printable(t)
	}
	return all
}

// jsonFunctions returns the functions by their own value, then by name. Functions of the same name and kind are one.
func jsonFunctions(p *profile.Profile) []*jsonFunction {
	index, declared, frames := valueIndex(p), declarations(p), newFrameTable(p, levels{})
	list := make([]*jsonFunction, len(frames.all))
	for i, f := range frames.all {
		list[i] = &jsonFunction{Name: f.name, Kind: kindLook[f.kind].word}
		if fn := declared[f.name]; fn != nil {
			list[i].File, list[i].Line = printable(fn.Filename), fn.StartLine
		}
	}
	last := make([]int, len(list)) // the last sample that was added to it, plus 1
	for i, s := range p.Sample {
		stack := frames.stackOf(s)
		for _, f := range stack {
			if last[f] != i+1 {
				last[f] = i + 1
				list[f].Value += s.Value[index]
			}
		}
		if n := len(stack); n > 0 {
			list[stack[n-1]].Self += s.Value[index]
		}
	}
	list = slices.DeleteFunc(list, func(f *jsonFunction) bool { return f.Value == 0 && f.Self == 0 })
	slices.SortFunc(list, func(a, b *jsonFunction) int {
		return cmp.Or(cmp.Compare(b.Self, a.Self), cmp.Compare(b.Value, a.Value), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	return list
}

// declarations returns the functions by their names as shown. If several share a name, as when the compiler attributes single
// instructions to another file, it is the one with the largest share of the samples.
func declarations(p *profile.Profile) map[string]*profile.Function {
	index, part := valueIndex(p), make(map[*profile.Function]int64, len(p.Function))
	for _, s := range p.Sample {
		for _, l := range s.Location {
			for _, line := range l.Line {
				if line.Function != nil {
					part[line.Function] += s.Value[index]
				}
			}
		}
	}
	before := func(a, b *profile.Function) int {
		return cmp.Or(cmp.Compare(part[b], part[a]), cmp.Compare(a.Filename, b.Filename), cmp.Compare(a.StartLine, b.StartLine))
	}
	all := make(map[string]*profile.Function, len(p.Function))
	for _, fn := range p.Function {
		if name := FunctionName(fn); all[name] == nil || before(fn, all[name]) < 0 {
			all[name] = fn
		}
	}
	return all
}
