package render

import (
	"encoding/json"
	"io"
	"time"

	"github.com/google/pprof/profile"
)

// jsonDocument is the JSON form, version 1. Values are in Unit; Comments is what the profile says of
// pod, container, node, image, frequency and lost samples.
type jsonDocument struct {
	Version         int       `json:"version"`
	Type            string    `json:"type"`
	Unit            string    `json:"unit"`
	Time            time.Time `json:"time"`
	DurationSeconds float64   `json:"durationSeconds"`
	Samples         int64     `json:"samples"`
	Comments        []string  `json:"comments"`
	Root            *jsonNode `json:"root"`
}

// jsonNode is a frame with the frames that it called; Value holds theirs, Self is its own alone.
type jsonNode struct {
	Name     string      `json:"name"`
	Value    int64       `json:"value"`
	Self     int64       `json:"self,omitempty"`
	Children []*jsonNode `json:"children,omitempty"`
}

func writeJSON(w io.Writer, p *profile.Profile) error {
	index := valueIndex(p)
	doc := jsonDocument{
		Version: 1, Type: p.SampleType[index].Type, Unit: p.SampleType[index].Unit,
		Time: time.Unix(0, p.TimeNanos).UTC(), DurationSeconds: time.Duration(p.DurationNanos).Seconds(),
		Samples: Summarize(p, 0).Samples, Comments: p.Comments,
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
