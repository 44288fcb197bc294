package programs

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// Report summarizes a profile of a program. Shares are of all samples or of all frames, from 0 to 1. A
// frame counts as often as it was sampled.
type Report struct {
	Program  string   `json:"program"`
	Samples  int64    `json:"samples"`
	Complete float64  `json:"complete"` // stacks not marked as truncated or broken
	Rooted   float64  `json:"rooted"`   // stacks whose root is a function at which threads start
	Named    float64  `json:"named"`    // frames with a name
	Hot      []Share  `json:"hot"`      // the functions that must be hot, by cumulative share
	Top      []Share  `json:"top"`      // the hottest functions, by their own share
	Roots    []Share  `json:"roots"`    // the most frequent roots of stacks
	Notes    []string `json:"notes,omitempty"`

	Pictures []Picture    `json:"pictures"`
	Own      []Comparison `json:"own,omitempty"` // comparisons with the program's own profiles, if it has any
}

// Share is a function's share of a whole.
type Share struct {
	Name  string  `json:"name"`
	Share float64 `json:"share"`
}

// Requirements for each program, as shares.
const (
	wantComplete = 0.98
	wantRooted   = 0.98
	wantHot      = 0.01
	wantSamples  = 200 // with fewer the program was not under load
)

// Shortcomings lists the requirements that a program's profile does not meet.
func (r *Report) Shortcomings() []string {
	var all []string
	if r.Samples < wantSamples {
		all = append(all, fmt.Sprintf("%d samples, want %d: the load does not run", r.Samples, wantSamples))
	}
	if r.Complete < wantComplete {
		all = append(all, fmt.Sprintf("%.1f %% of the stacks are complete, want %.0f %%", 100*r.Complete, 100*wantComplete))
	}
	if r.Rooted < wantRooted {
		all = append(all, fmt.Sprintf("%.1f %% of the stacks begin where a thread begins, want %.0f %%; the commonest roots: %s",
			100*r.Rooted, 100*wantRooted, List(r.Roots)))
	}
	for _, p := range r.Pictures {
		if p.Bytes > wantPicture {
			all = append(all, fmt.Sprintf("its %s has %d bytes, want %d", p.Format, p.Bytes, wantPicture))
		}
	}
	for _, h := range r.Hot {
		if h.Share < wantHot {
			all = append(all, fmt.Sprintf("%s is in %.1f %% of the samples, want %.0f %%", h.Name, 100*h.Share, 100*wantHot))
		}
	}
	for _, c := range r.Own {
		if c.Off != "" {
			all = append(all, fmt.Sprintf("%s: %s", c, c.Off))
		}
	}
	return all
}

// List returns shares on one line.
func List(shares []Share) string {
	var all []string
	for _, s := range shares {
		all = append(all, fmt.Sprintf("%s %.1f %%", s.Name, 100*s.Share))
	}
	return strings.Join(all, ", ")
}

// kernelMapping is the name of the kernel's mapping in profiles.
const kernelMapping = "[kernel.kallsyms]"

// threadStarts are functions at which threads of C programs start: the entry of the program or of the
// dynamic linker, and libc's clone. Debian's libc has no symbol for clone3; see afterClone.
var threadStarts = []string{"_start", "_dl_start", "__libc_start_main", "__libc_start_call_main", "clone", "__clone", "clone3", "__clone3"}

func judge(p Program, prof *profile.Profile, root string) *Report {
	r := &Report{Program: p.Name}
	flat, cumulative, roots := map[string]int64{}, map[string]int64{}, map[string]int64{}
	var complete, rooted, frames, named int64
	for _, s := range prof.Sample {
		n := s.Value[0]
		r.Samples += n
		stack := namesOf(s)
		if len(stack) == 0 {
			continue
		}
		flat[stack[0]] += n
		last := stack[len(stack)-1]
		for name := range functionsOf(stack) {
			cumulative[name] += n
		}
		for _, name := range stack {
			frames += n
			if !strings.HasPrefix(name, "[") {
				named += n
			}
		}
		outermost := s.Location[len(s.Location)-1]
		if outermost.Mapping == nil { // a marker such as [truncated]
			roots[last] += n
			continue
		}
		complete += n
		if outermost.Mapping.File == kernelMapping { // the kernel's own work without user code
			rooted += n
			continue
		}
		roots[last] += n
		if p.Go || slices.Contains(threadStarts, last) || afterClone(root, outermost) {
			rooted += n
		}
	}
	share := func(n, of int64) float64 { return float64(n) / float64(max(of, 1)) }
	r.Complete, r.Rooted, r.Named = share(complete, r.Samples), share(rooted, r.Samples), share(named, frames)
	for _, name := range p.Hot {
		r.Hot = append(r.Hot, Share{name, share(cumulative[name], r.Samples)})
	}
	top := func(of map[string]int64) []Share {
		names := slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b)) })
		var all []Share
		for _, name := range names[:min(len(names), 5)] {
			all = append(all, Share{name, share(of[name], r.Samples)})
		}
		return all
	}
	r.Top, r.Roots = top(flat), top(roots)
	for _, c := range prof.Comments {
		if strings.HasPrefix(c, "broken stacks: ") || strings.HasPrefix(c, "advice: ") || strings.HasPrefix(c, "lost samples: ") {
			r.Notes = append(r.Notes, c)
		}
	}
	return r
}

// namesOf returns a stack's functions, leaf first.
func namesOf(s *profile.Sample) []string {
	var names []string
	for _, l := range s.Location {
		for _, line := range l.Line {
			names = append(names, line.Function.Name)
		}
	}
	return names
}

// v8Name matches a JavaScript function in V8's perf map: a mark of the compiler, the name, and the place
// in the source (ComputeMarker in V8's src/logging/log.cc).
var v8Name = regexp.MustCompile(`^(?:JS|LazyCompile|Function):[*^~+]?(\w+) `)

// functionsOf returns each function of a stack once. JavaScript functions are named as in the source.
func functionsOf(stack []string) map[string]bool {
	all := map[string]bool{}
	for _, name := range stack {
		if m := v8Name.FindStringSubmatch(name); m != nil {
			name = m[1]
		}
		all[name] = true
	}
	return all
}

// exitCall holds the instructions with which libc's clone and clone3 end a thread whose function
// returned: mov $SYS_exit,%eax; syscall, and mov x8,#SYS_exit; svc #0.
var exitCall = map[string][]byte{
	"amd64": {0xb8, 60, 0, 0, 0, 0x0f, 0x05},
	"arm64": {0xa8, 0x0b, 0x80, 0xd2, 0x01, 0, 0, 0xd4},
}

// afterClone reports whether a stack's outermost call returns to the end of a thread. Debian's libc has
// no symbol for clone3, in which glibc's threads start, so this compares machine code.
func afterClone(root string, l *profile.Location) bool {
	if filepath.Base(l.Mapping.File) != "libc.so.6" {
		return false
	}
	libc, err := os.Open(filepath.Join(root, l.Mapping.File))
	if err != nil {
		return false
	}
	defer libc.Close()
	end := exitCall[runtime.GOARCH]
	code := make([]byte, len(end)+3)                                     // on amd64 an instruction of 3 bytes may move the result before
	returns := int64(l.Address - l.Mapping.Start + l.Mapping.Offset + 1) // the address is the last byte of the call
	if _, err := libc.ReadAt(code, returns); err != nil {
		return false
	}
	return len(end) > 0 && bytes.Contains(code, end)
}
