package read

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

const (
	stackLines = "\t    55d0c0de1010 hot+0x10 (/srv/app)\n\t    55d0c0de3030 main+0x30 (/srv/app)\n"
	stackEvent = "app  4242 [001]   100.000100:   10101010 cycles: \n" + stackLines + "\n"
)

// folded returns a profile's folded stacks, with the values of the given type, or the usual ones for "".
func folded(t *testing.T, p *profile.Profile, sample string) string {
	t.Helper()
	if sample != "" {
		p.DefaultSampleType = sample
		meta.ChosenValues.Add(p, sample)
	}
	var out bytes.Buffer
	if err := render.Write(&out, p, render.Folded); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// The output of perf script is read in the forms in which people have it.
func TestPerfScriptForms(t *testing.T) {
	untimed := func(head string) string { return head + "\n" + stackLines + "\n" }
	for name, c := range map[string]struct{ text, want, note string }{
		"usual":                          {stackEvent + stackEvent, "main;hot 2", ""},
		"no blank line at the end":       {stackEvent + strings.TrimSuffix(stackEvent, "\n"), "main;hot 2", "the blank line after the last event is missing"},
		"no line end at the end":         {stackEvent + strings.TrimSuffix(stackEvent, "\n\n"), "main;hot 2", "the blank line after the last event is missing"},
		"cut in a header":                {stackEvent + "main 1 2.0000", "main;hot 1", `1 line was left out, because it is not part of the output of perf script: line 5, "main 1 2.0000"`},
		"Windows":                        {strings.ReplaceAll(stackEvent, "\n", "\r\n"), "main;hot 1", ""},
		"no time":                        {untimed("app  4242 cycles: ") + untimed("app  4242 cycles: "), "main;hot 2", ""},
		"no time, CPU and period":        {untimed("app  4242 [001]   10101010 cycles: "), "main;hot 1", ""},
		"no time, short period":          {untimed("app 4242 250 cycles:u: "), "main;hot 1", ""},
		"no time, one line":              {"  app  4242 cycles:      55d0c0de1010 hot+0x10 (/srv/app)\n", "hot 1", ""},
		"no thread":                      {untimed("app [001] 100.000100:   10101010 cycles: "), "main;hot 1", ""},
		"no command":                     {untimed("4242 [001] 100.000100:   10101010 cycles: "), "main;hot 1", ""},
		"only times":                     {untimed("100.000100: cycles: "), "main;hot 1", ""},
		"no event":                       {untimed("app 4242 100.000100: "), "main;hot 1", ""},
		"nanoseconds":                    {untimed("app 4242 100.000100123:   1 cycles: "), "main;hot 1", ""},
		"mode":                           {untimed("app  4242/4243 [001] d..1. 100.000100: 1 cycles:P: "), "main;hot 1", ""},
		"mode before the CPU":            {untimed("app  4242/4243 U [001] 100.000100: 1 cycles:uhH: "), "main;hot 1", ""},
		"raw event":                      {untimed("app 4242 100.000100: 1 raw 0x1a8: "), "main;hot 1", ""},
		"other text after the event":     {untimed("app 4242 100.000100: 1 cpu/mem-loads,ldlat=30/P:  7ffc12 5080022 |OP LOAD|LVL L1 hit "), "main;hot 1", ""},
		"blank line after the header":    {stackEvent + strings.Replace(stackEvent, "\n", "\n\n", 1) + stackEvent, "main;hot 3", ""},
		"two blank lines":                {stackEvent + "\n\n" + stackEvent, "main;hot 2", ""},
		"records":                        {"app  4242 [001]   100.000001: PERF_RECORD_MMAP2 4242/4242: [0x55d0(0x5000) @ 0x1000 fd:00 917 0]: r-xp /srv/app\n" + stackEvent + "app 4242 PERF_RECORD_COMM exec: app:4242/4242\n" + stackEvent + "app 4242 100.1: PERF_RECORD_FORK(1:1):(2:2)\n\nPERF_RECORD_NAMESPACES 1/1 - nr_namespaces: 7\n\t\t[0/net: 3/0xf0000098, 1/uts: 3/0xeffffffe\n", "main;hot 2", ""},
		"records with a colon":           {"perf-exec     0     0.000000: PERF_RECORD_COMM: perf-exec:7043/7043\n" + stackEvent + "app  4242 PERF_RECORD_COMM: worker 1:4242/4242\n" + stackEvent, "main;hot 2", ""},
		"record in a stack":              {strings.Replace(stackEvent, "\t    55d0c0de3030", "app 4242 100.0: PERF_RECORD_COMM x\n\t 55d0c0de3030", 1), "main;hot 1", ""},
		"parentheses in paths":           {"a 1 1.000000: e: \n\t 10 Draw+0x40 (/Program Files (x86)/A (b)/c.dll)\n\t 20 Main (/Program Files (x86)/a.dll)\n\t 30 f(int (*)(int)) const (/lib (v2).so (deleted))\n\t 40 g+0x1 (/tmp/a) b.so)\n\n", "g;f(int (*)(int)) const;Main;Draw 1", ""},
		"empty commands":                 {"                  8124 [000]     7.020001:     250000 cpu-clock: \n" + stackLines + "\n", "main;hot 1", ""},
		"unknown thread":                 {"             :-1    -1 [000]     7.000001:     250000 cpu-clock: \n" + stackLines + "\n", "main;hot 1", ""},
		"unknown command":                {"           :8123  8123/8124 [000]     7.000001:     250000 cpu-clock: \n" + stackLines + "\n", "main;hot 1", ""},
		"commands with marks":            {"nginx: worker p  8125 [000] 7.000001: 1 e: \n" + stackLines + "\n", "main;hot 1", ""},
		"commands with brackets":         {"pool [worker] 8125 [000] 7.000001: 1 e: \n" + stackLines + "\n", "main;hot 1", ""},
		"commands like a number":         {"dd 55 7.000001: 1 e: \n" + stackLines + "\n900 55 7.000002: 1 e: \n" + stackLines + "\n", "900;main;hot 1\ndd;main;hot 1", ""},
		"source lines":                   {strings.NewReplacer("hot+0x10 (/srv/app)", "hot+0x10 (/srv/app)\n  hot.c:12 (discriminator 3)", "main+0x30 (/srv/app)", "main+0x30 (/srv/app)\n  app[3030]").Replace(stackEvent), "main;hot 1", ""},
		"source code":                    {strings.Replace(stackEvent, "(/srv/app)\n", "(/srv/app)\n  hot.c:12\n|12       sum += f(i);\n|13\n", 2), "main;hot 1", ""},
		"messages":                       {"Warning:\nProcessed 90210 events and lost 3 chunks!\n\nCheck IO/CPU overload!\n\n" + stackEvent, "main;hot 1", `3 lines were left out, because they are not part of the output of perf script; the first is line 1, "Warning:"`},
		"message in a stack":             {strings.Replace(stackEvent, ")\n", ")\naddr2line: DWARF error: could not find variable\n", 1), "main;hot 1", "1 line was left out"},
		"message in front of no times":   {"[ perf record: Woken up 1 times to write data ]\n" + untimed("app  4242 cycles: "), "main;hot 1", "1 line was left out"},
		"a time that is none":            {strings.Replace(stackEvent, ".000100", ".x", 1) + stackEvent, "main;hot 1", "3 lines were left out"},
		"a long line":                    {stackEvent + strings.Repeat("x", maxLine+1) + "\n" + stackEvent, "main;hot 2", "1 line was left out"},
		"a number that is too large":     {stackEvent + "app 99999999999999999999 1.000000: 1 cycles: \n" + stackLines + "\n", "main;hot 1", "3 lines were left out"},
		"no object files":                {"app 1 1.000000: e: \n\t    55d0c0de1010 f(int)\n\t 55d0 main+0x4\n\n", "main;f(int) 1", ""},
		"no addresses":                   {"app 1 1.000000: e: \n hot+0x1 (/srv/app)\n main (/srv/app)\n\n", "main;hot 1", ""},
		"no names":                       {"app 1 1.000000: e: \n\t 55d0c0de1010 (/srv/app)\n\n", "[app] 1", ""},
		"only names":                     {"app 1 1.000000: e: \n hot\n main\n\n", "main;hot 1", ""},
		"inlined frames without a frame": {"app 1 1.000000: e: \n\t 1 f (inlined)\n\n", "f 1", ""},
		"simpleperf":                     {"com.acme.maps\t21452/21460 [007] 11371.483014: 201198 cpu-clock:\n\t  9c51fd34 com.acme.Tile.hash ([JIT app cache])\n\ncom.acme.maps\t21452/21461 [007] 11371.493014: 201198 cpu-clock:u:\n\t  9c51fd34 com.acme.Tile.hash ([JIT app cache])\n\n", "com.acme.Tile.hash 2", ""},
		"mangled names":                  {"srv 50 1.000100: 1 e: \n\t 55 _ZN4core3ops8function6FnOnce9call_once17h0123456789abcdefE+0x3 (/srv/srv)\n\t 56 _RNvCs4fqI2P2rA04_4acme4work+0x1 (/srv/srv)\n\t 57 _ZN3foo3barEi@plt (/srv/srv)\n\t 58 _Zno (/srv/srv)\n\n", "_Zno;foo::bar@plt;acme::work;core::ops::function::FnOnce::call_once 1", ""},
		"Java":                           {"java 900 1.000100: 1 e: \n\t 7f89 La/Writer;::flush->La/Stream;::write->La/Sink;::put+0x3 (/tmp/perf-900.map)\n\t 7f88 a.B.c->a.B.d (/tmp/perf-900.map)\n\t 7f8a La/E;::f->La/E;::g (/tmp/perf-900.map (deleted))\n\t 7f87 La/Main;::run (/tmp/perf-900.map)\n\t 7f86 std::unique_ptr<A>::operator->+0x3 (/srv/app)\n\n", "std::unique_ptr<A>::operator->;a/Main::run;a/E::f;a/E::g;a.B.c;a.B.d;a/Writer::flush;a/Stream::write;a/Sink::put 1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := readText(t, c.text)
			if got := folded(t, p, ""); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			checkNotes(t, meta.FileNote.All(p), c.note)
		})
	}
}

// Commands may end in numbers, which are not thread IDs.
func TestPerfThreads(t *testing.T) {
	for _, c := range []struct {
		head, command string
		tid           int64
	}{
		{"worker 1  7001  3.010000:     250000 cpu-clock: ", "worker 1", 7001},
		{"worker 1 77001 3.010000:     250000 cpu-clock: ", "worker 1", 77001},
		{"worker 1  7001 [003]  3.010000:     250000 cpu-clock: ", "worker 1", 7001},
		{"worker 1     7/7001  3.010000:     250000 cpu-clock: ", "worker 1", 7001},
		{"worker 1  7001 cycles: ", "worker 1", 7001},
		{"worker 1 77001 cycles: ", "worker 1", 77001},
		{"worker 1  7001   10101010 cycles: ", "worker 1", 7001},
		{"worker 1 2 3  7001 3.010000: cycles: ", "worker 1 2 3", 7001},
		{"worker  7001 10101010 cycles: ", "worker", 7001},
		{"worker  7001 3.010000: cycles: ", "worker", 7001},
		{"   :-1    -1 3.010000: cycles: ", ":-1", 0},
		{"  8124 3.010000: cycles: ", "", 8124},
	} {
		p, err := Data([]byte(c.head + "\n" + stackLines + "\n"))
		if err != nil || len(p.Sample) != 1 {
			t.Errorf("%s: %v", c.head, err)
			continue
		}
		if command, tid := meta.ThreadLabel.Get(p.Sample[0]), meta.TIDLabel.Get(p.Sample[0]); command != c.command || tid != c.tid {
			t.Errorf("%s: command %q and thread %d, want %q and %d", c.head, command, tid, c.command, c.tid)
		}
	}
}

// Values of different events are not added. --sample chooses one.
func TestPerfEvents(t *testing.T) {
	event := func(period, name, function string) string {
		return fmt.Sprintf("app 42 10.000000: %s %s: \n\t 10 %s+0x1 (/srv/app)\n\n", period, name, function)
	}
	for name, c := range map[string]struct{ text, sample, want, note string }{
		"samples":             {event("33", "page-faults", "a") + event("166", "page-faults", "b"), "", "a 1\nb 1", ""},
		"weights":             {event("33", "page-faults", "a") + event("166", "page-faults", "b"), "page-faults", "a 33\nb 166", ""},
		"a period of 0":       {event("33", "page-faults", "a") + event("0", "page-faults", "b"), "page-faults", "a 33\nb 0", ""},
		"clock":               {event("250000", "cpu-clock:u", "a") + event("250000", "cpu-clock", "a"), "cpu", "a 500000", ""},
		"two events":          {event("5", "cycles", "a") + event("7", "instructions", "a"), "", "a 5", "--sample chooses): cycles, instructions"},
		"the second event":    {event("5", "cycles", "a") + event("7", "instructions", "a"), "instructions", "a 7", "cycles, instructions"},
		"events of one count": {event("", "cycles", "a") + event("", "instructions", "b"), "instructions", "b 1", "cycles, instructions"},
		"two clocks":          {event("5", "cpu-clock", "a") + event("7", "task-clock", "a"), "task-clock", "a 7", "cpu-clock, task-clock"},
		"modes":               {event("5", "cycles:u", "a") + event("7", "cycles:k", "a"), "cycles", "a 12", ""},
		"hybrid processors":   {event("5", "cpu_core/cycles/P", "a") + event("7", "cpu_atom/cycles/P", "a"), "cycles", "a 12", ""},
		"tracepoints":         {event("", "kmem:kfree", "a") + event("", "block:block_rq_issue", "a"), "", "a 2", "counted together"},
		"one tracepoint":      {event("", "kmem:kfree", "a") + event("", "block:block_rq_issue", "b"), "kmem:kfree", "a 1", "counted together"},
	} {
		t.Run(name, func(t *testing.T) {
			p := readText(t, c.text)
			if got := folded(t, p, c.sample); got != c.want {
				t.Errorf("got\n%s\nwant\n%s; types %v", got, c.want, p.SampleType)
			}
			checkNotes(t, meta.FileNote.All(p), c.note)
		})
	}
}

func TestPerfLostSamples(t *testing.T) {
	p, err := Data([]byte(stackEvent + "app  4242 [001]   100.005000: PERF_RECORD_LOST lost 37\n" + stackEvent + "app 1 PERF_RECORD_LOST_SAMPLES lost 5\n"))
	if err != nil || meta.LostSamples.Get(p) != 42 {
		t.Errorf("%d lost samples, want 42; %v", meta.LostSamples.Get(p), err)
	}
}
