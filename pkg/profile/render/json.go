package render

import (
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"time"

	"github.com/google/pprof/profile"
)

// jsonVersion is the version of the schema in docs/json.md. It goes up when a field is removed or changes its meaning, not when one
// is added.
const jsonVersion = 1

// jsonDocument is the JSON format, which docs/json.md describes.
type jsonDocument struct {
	Version         int             `json:"version"`
	Type            string          `json:"type"`
	Unit            string          `json:"unit"`
	Time            time.Time       `json:"time"`
	DurationSeconds float64         `json:"durationSeconds"`
	Samples         int64           `json:"samples"`
	Comments        []string        `json:"comments"`
	Functions       []*jsonFunction `json:"functions"`
	Root            *jsonNode       `json:"root"`
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

// jsonNode is a frame with the frames that it called. Value includes theirs, Self does not.
type jsonNode struct {
	Name     string      `json:"name"`
	Value    int64       `json:"value"`
	Self     int64       `json:"self,omitempty"`
	Children []*jsonNode `json:"children,omitempty"`
}

func writeJSON(w io.Writer, p *profile.Profile) error {
	index := valueIndex(p)
	doc := jsonDocument{
		Version: jsonVersion, Type: printable(p.SampleType[index].Type), Unit: printable(p.SampleType[index].Unit),
		Time: time.Unix(0, p.TimeNanos).UTC(), DurationSeconds: time.Duration(p.DurationNanos).Seconds(),
		Samples: Summarize(p, 0).Samples, Functions: jsonFunctions(p), Comments: []string{},
	}
	for _, c := range p.Comments {
		doc.Comments = append(doc.Comments, printable(c))
	}
	copies := map[*node]*jsonNode{}
	root := newTree(p)
	root.walk(func(n *node, _ int) {
		copies[n] = &jsonNode{Name: n.name, Value: n.total, Self: n.self}
	})
	for n, c := range copies {
		for _, child := range n.children {
			c.Children = append(c.Children, copies[child])
		}
	}
	doc.Root = copies[root]
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	return out.Encode(doc)
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
