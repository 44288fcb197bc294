package render

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// writeHead writes title, subtitles, legend and the hottest functions. An SVG in an <img> has no tooltips, so the picture itself has
// to show them.
func writeHead(out *bytes.Buffer, p *profile.Profile, hottest []Entry, total int64, unit string) {
	fmt.Fprintf(out, `<text x="%d" y="24" font-size="17" font-weight="bold">%s</text>`+"\n", margin, escape(fitLine(title(p), svgWidth-260, 17)))
	for i, line := range subtitles(p) {
		fmt.Fprintf(out, `<text x="%d" y="%d" fill="#444444">%s</text>`+"\n", margin, 42+16*i, escape(fitLine(line, svgWidth-2*margin, fontSize)))
	}
	writeLegend(out)
	for i, e := range hottest {
		x, y := margin+i/(ranked/2)*svgWidth/2, 102+i%(ranked/2)*15
		line := fmt.Sprintf("%5.1f%% %5.1f%%  ", Percent(e.Flat, total), Percent(e.Cum, total))
		room := float64(svgWidth/2-2*margin) - float64(len(line))*CharWidth
		fmt.Fprintf(out, `<text x="%d" y="%d" xml:space="preserve">%s</text>`+"\n", x, y, escape(line+fit(e.Name, room)))
	}
	if len(hottest) > 0 {
		fmt.Fprintf(out, `<text x="%d" y="%d" fill="#444444">%s</text>`+"\n", margin, 102+ranked/2*15,
			"The hottest functions: own share, share with callees.")
	}
}

func writeLegend(out *bytes.Buffer) {
	x := float64(margin)
	for k := range kindProcess {
		word := kindLook[k].word
		fmt.Fprintf(out, `<rect x="%.0f" y="68" width="12" height="12" fill="%s"/><text x="%.0f" y="78">%s</text>`,
			x, legendColor(k), x+16, word)
		x += 16 + float64(len(word)+2)*CharWidth
	}
	out.WriteString("\n")
}

// title returns the name of the pod and its container, if known.
func title(p *profile.Profile) string {
	if of := Subject(p); of != "" {
		return of
	}
	return "Flame graph of " + typeName(p)
}

// Subject returns the pod and container of a profile, or "" if it does not name them.
func Subject(p *profile.Profile) string {
	pod := printable(meta.Pod.Get(p))
	if c := printable(meta.Container.Get(p)); pod != "" && c != "" {
		return pod + " · " + c
	}
	return pod
}

func typeName(p *profile.Profile) string { return printable(p.SampleType[valueIndex(p)].Type) }

// subtitles returns two lines: where the profile is from, and what it contains.
func subtitles(p *profile.Profile) []string {
	s := totals(p)
	var where, what []string
	for _, key := range []commentKey{meta.Node, meta.Image} {
		where = appendComment(where, p, key)
	}
	if len(where) == 0 && len(p.Mapping) > 0 && p.Mapping[0].File != "" {
		where = append(where, "program "+printable(path.Base(p.Mapping[0].File)))
	}
	if !s.Sampled || valueIndex(p) > 0 {
		what = append(what, Amount(s))
	}
	if p.DurationNanos > 0 {
		what = append(what, fmt.Sprintf("in %.1fs", float64(p.DurationNanos)/1e9))
	}
	if s.Sampled {
		what = append(what, fmt.Sprintf("%d samples", s.Samples))
	}
	for _, key := range []commentKey{meta.Frequency, meta.LostSamples, meta.Partial, meta.Filter} {
		what = appendComment(what, p, key)
	}
	if meta.Type.Get(p) != "" && meta.Partial.Get(p) == "" {
		what = append(what, "complete")
	}
	return []string{strings.Join(where, " · "), strings.Join(what, " · ")}
}

// commentKey is a meta.Key of any type.
type commentKey interface {
	Name() string
	Text(*profile.Profile) string
}

// appendComment appends "key value" if the profile has a comment with the key.
func appendComment(words []string, p *profile.Profile, key commentKey) []string {
	if v := key.Text(p); v != "" {
		words = append(words, key.Name()+" "+printable(v))
	}
	return words
}

// fitLine cuts a line of text at its right end to a width in pixels, at the given font size.
func fitLine(s string, width, size float64) string {
	room := int(width / (size * charRatio))
	if runes := []rune(s); len(runes) > room {
		return string(runes[:max(room-1, 0)]) + "…"
	}
	return s
}
