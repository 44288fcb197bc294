package render_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/filter"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render/embed"
)

// shows runs the script on profiles, each with a state of the page, and prints the stacks that it draws.
const shows = `
let input = '';
process.stdin.on('data', (d) => { input += d; });
process.stdin.on('end', async () => {
	const all = [];
	for (const { payload, state } of JSON.parse(input)) {
		const p = await load({ querySelector: () => ({ textContent: payload }) });
		const app = new App(p, { draw() {}, showStatus(text) { all.push(text); } }, false), lines = {};
		app.set(state);
		for (let i = 0; i < app.tree.size; i++) {
			const line = app.path(i).join(';');
			if (app.tree.self[i]) lines[line] = (lines[line] || 0) + app.tree.self[i];
		}
		all.push(lines);
	}
	console.log(JSON.stringify(all));
});
`

type show struct {
	Payload string            `json:"payload"`
	State   map[string]string `json:"state"`
}

// The filters of the page select the same stacks as the flags of the command line. This also compares the decoder and the trees of
// the script with those in Go.
func TestPageFiltersEqualFlags(t *testing.T) {
	script, err := render.ScriptParts("profile.js", "tree.js", "names.js", "state.js")
	if err != nil {
		t.Fatal(err)
	}
	expressions := []string{"", "", "main", `^main\.a$`, "a|e", "d", "nothing", "libshop", "kernel", `\[lib`}
	var inputs []show
	var want []map[string]int64
	var said []string
	for seed := range uint64(300) {
		r, p := rand.New(rand.NewPCG(seed, 7)), vary(render.RandomStacks(seed), seed)
		state, o := map[string]string{}, filter.Options{}
		for _, word := range []struct {
			name string
			to   **regexp.Regexp
		}{{"focus", &o.Focus}, {"hide", &o.Hide}, {"module", &o.Module}, {"hide-module", &o.HideModule}} {
			if e := expressions[r.IntN(len(expressions))]; e != "" && r.IntN(2) == 0 {
				state[word.name], *word.to = e, regexp.MustCompile(e)
			}
		}
		if r.IntN(3) == 0 {
			from := r.IntN(50)
			o.From, o.To = time.Duration(from*10)*time.Millisecond, time.Duration(from*10+200)*time.Millisecond
			state["from"], state["to"] = fmt.Sprint(from*10), fmt.Sprint(from*10+200)
		}
		payload, err := embed.Encode(p, render.EncodedKind)
		if err != nil {
			t.Fatal(err)
		}
		left, err := o.Apply(p)
		if err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, show{base64.StdEncoding.EncodeToString(payload), state})
		want, said = append(want, folded(t, left, p)), append(said, o.String())
	}
	in, err := json.Marshal(inputs)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "-e", script+shows)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, err.(*exec.ExitError).Stderr)
	}
	var got []map[string]int64
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %.500s", err, out)
	}
	if len(got) != len(want) {
		t.Fatalf("%d answers for %d questions", len(got), len(want))
	}
	for i := range want {
		if fmt.Sprint(got[i]) != fmt.Sprint(want[i]) {
			t.Fatalf("profile %d, %s: the page shows\n%v\nthe command line leaves\n%v", i, said[i], got[i], want[i])
		}
	}
}

// vary adds times to samples, removes the functions of some locations, and adds inlined calls to others. All samples have a value.
func vary(p *profile.Profile, seed uint64) *profile.Profile {
	r := rand.New(rand.NewPCG(seed, 8))
	p.Mapping[0].File = "/usr/lib/libshop.so"
	for _, s := range p.Sample {
		s.Value[0], s.Value[1] = s.Value[0]+1, (s.Value[0]+1)*p.Period
		s.NumLabel["time"], s.NumUnit = []int64{int64(r.IntN(60) * 10)}, map[string][]string{"time": {"milliseconds"}}
	}
	for _, l := range p.Location {
		switch r.IntN(4) {
		case 0:
			l.Line = nil
		case 1:
			l.Line = append(l.Line, profile.Line{Function: p.Function[r.IntN(len(p.Function))], Line: 7})
		}
	}
	return p
}

// folded returns the stacks of a filtered profile, below the process if the whole profile has several.
func folded(t *testing.T, left, whole *profile.Profile) map[string]int64 {
	t.Helper()
	pids := map[int64]bool{}
	for _, s := range whole.Sample {
		pids[s.NumLabel["pid"][0]] = true
	}
	lines := map[string]int64{}
	for _, s := range left.Sample {
		var names []string
		if len(pids) > 1 {
			names = append(names, fmt.Sprintf("shop (%d)", s.NumLabel["pid"][0]))
		}
		for _, l := range slices.Backward(s.Location) {
			names = append(names, render.FrameNames(l)...)
		}
		lines[strings.Join(names, ";")] += s.Value[1]
	}
	return lines
}
