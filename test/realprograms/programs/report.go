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

// Report says what a profile of a program holds. Shares are of all samples, or of all frames, from 0
// to 1; a frame counts as often as it was sampled.
type Report struct {
	Program  string   `json:"program"`
	Samples  int64    `json:"samples"`
	Complete float64  `json:"complete"` // stacks not marked as truncated or broken
	Rooted   float64  `json:"rooted"`   // stacks whose root is where a thread begins
	Named    float64  `json:"named"`    // frames with a name
	Hot      []Share  `json:"hot"`      // the functions that must be hot, with what they and their callees took
	Top      []Share  `json:"top"`      // the functions that took the most by themselves
	Roots    []Share  `json:"roots"`    // the commonest roots of stacks
	Notes    []string `json:"notes,omitempty"`

	Pictures []Picture    `json:"pictures"`
	Own      []Comparison `json:"own,omitempty"` // with the program's own profiles, if it has them
}

// Share is what of a whole belongs to a function.
type Share struct {
	Name  string  `json:"name"`
	Share float64 `json:"share"`
}

// What is asked of each program, as shares.
const (
	wantComplete = 0.98
	wantRooted   = 0.98
	wantHot      = 0.01
	wantSamples  = 200 // fewer, and the program was not under load
)

// Shortcomings says in what a program's profile falls short; nil if in nothing.
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

// List writes shares on a line.
func List(shares []Share) string {
	var all []string
	for _, s := range shares {
		all = append(all, fmt.Sprintf("%s %.1f %%", s.Name, 100*s.Share))
	}
	return strings.Join(all, ", ")
}

// kernelMapping is how profiles name the kernel's code.
const kernelMapping = "[kernel.kallsyms]"

// threadStarts are where threads of C programs begin: the entry of the program or of the dynamic
// linker, and libc's clone. Debian's libc has no name for clone3, see startsThread.
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
		if outermost.Mapping == nil { // a marker in the place of code
			roots[last] += n
			continue
		}
		complete += n
		if outermost.Mapping.File == kernelMapping { // the kernel's own work, in which no user code is
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

// namesOf gives a stack's functions, leaf first.
func namesOf(s *profile.Sample) []string {
	var names []string
	for _, l := range s.Location {
		for _, line := range l.Line {
			names = append(names, line.Function.Name)
		}
	}
	return names
}

// v8Name is how V8 writes a function of JavaScript into a perf map: with its compiler's sign before it
// and its place after it (Logger's ComputeMarker in V8's src/logging/log.cc).
var v8Name = regexp.MustCompile(`^(?:JS|LazyCompile|Function):[*^~+]?(\w+) `)

// functionsOf gives each function of a stack once. JavaScript's are named as in the source.
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

// exitCall is the instructions by which libc's clone and clone3 end a thread whose function returned:
// mov $SYS_exit,%eax; syscall, and mov x8,#SYS_exit; svc #0.
var exitCall = map[string][]byte{
	"amd64": {0xb8, 60, 0, 0, 0, 0x0f, 0x05},
	"arm64": {0xa8, 0x0b, 0x80, 0xd2, 0x01, 0, 0, 0xd4},
}

// afterClone says whether a stack's outermost call returns to the end of a thread: Debian's libc has
// no name for clone3, in which glibc's threads begin, so its code tells.
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
	code := make([]byte, len(end)+3)                                     // the result may be moved, in 3 bytes on amd64, before
	returns := int64(l.Address - l.Mapping.Start + l.Mapping.Offset + 1) // an address in the call, one before its end
	if _, err := libc.ReadAt(code, returns); err != nil {
		return false
	}
	return len(end) > 0 && bytes.Contains(code, end)
}
