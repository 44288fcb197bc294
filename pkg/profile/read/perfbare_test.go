package read

import (
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// The fields that are printed (-F) may lack the time, the event and the thread.
func TestPerfScriptFields(t *testing.T) {
	stacks := func(heads ...string) string {
		var text strings.Builder
		for _, head := range heads {
			text.WriteString(head + "\n" + stackLines + "\n")
		}
		return text.String()
	}
	lines := func(heads ...string) string {
		var text strings.Builder
		for _, head := range heads {
			text.WriteString(head + "\n")
		}
		return text.String()
	}
	for name, c := range map[string]struct{ text, want, note string }{
		"comm,ip,sym":            {stacks("app ", "worker 1 ", "worker 2 "), "app;main;hot 1\nworker 1;main;hot 1\nworker 2;main;hot 1", ""},
		"comm,event,ip,sym":      {stacks("app cycles: ", "worker 1 cycles: ", "worker 2 cycles: "), "app;main;hot 1\nworker 1;main;hot 1\nworker 2;main;hot 1", ""},
		"comm,time,ip,sym":       {stacks("app   100.000100: ", "worker 1   100.000100: ", "worker 2   100.000200: "), "app;main;hot 1\nworker 1;main;hot 1\nworker 2;main;hot 1", ""},
		"comm,event,trace,ip":    {stacks("app syscalls:sys_enter_read: fd: 0x00000003, buf: 0x7ffe", "worker 1 syscalls:sys_enter_read: fd: 0x1"), "app;main;hot 1\nworker 1;main;hot 1", ""},
		"comm,tid,ip,sym":        {stacks("worker 1  7049 ", "worker 2  7050 "), "worker 1;main;hot 1\nworker 2;main;hot 1", ""},
		"comm,tid,ip":            {"app  7049 \n\t    55d0c0de1010\n\t    55d0c0de3030\n\napp  7049 \n\t    55d0c0de1010\n\n", "[unknown] 1\n[unknown];[unknown] 1", ""},
		"comm,pid,tid,ip,sym":    {stacks("app  7043/7049  ", "worker 1  7043/7050  "), "main;hot 2", ""},
		"pid,ip,sym":             {stacks(" 7043 ", " 7043 "), "main;hot 2", ""},
		"event,ip,sym":           {stacks("cycles: ", "cycles: "), "main;hot 2", ""},
		"ip,sym":                 {"\n" + stackLines + "\n\n" + stackLines + "\n", "main;hot 2", ""},
		"cut":                    {"\n" + stackLines + "\n\n" + stackLines, "main;hot 2", "the blank line after the last event is missing"},
		"bad line":               {stacks("app ") + "addr2line: DWARF error: no section\n" + stacks("app "), "main;hot 2", "1 line was left out"},
		"bad line in a stack":    {strings.Replace(stacks("app "), ")\n", ")\naddr2line: DWARF error\n", 1), "main;hot 1", "1 line was left out"},
		"bad line, with threads": {strings.Replace(stacks("app  7043 cycles: ", "app  7043 cycles: "), ")\n", ")\naddr2line: DWARF error\n", 1), "main;hot 2", "1 line was left out"},
		"one line: comm,tid":     {lines("        worker 1  7061      557fff7af185 hot", "             app  7061      557fff7af185 operator new"), "app;operator new 1\nworker 1;hot 1", ""},
		"one line: comm,event":   {lines("        worker 1 cycles:      557fff7af185 hot", "             app cycles:  ffffffff81000e06 asm_x"), "app;asm_x 1\nworker 1;hot 1", ""},
		"one line: comm,time":    {lines("        worker 1  1288.643168:      557fff7af185 hot", "             app  1288.651409:      557fff7af185 hot"), "app;hot 1\nworker 1;hot 1", ""},
		"one line: ip,sym,dso":   {lines("     557fff7af185 hot (/srv/app)", "     557fff7af185 hot (/srv/app)"), "hot 2", ""},
		"one line: insn":         {lines("app  7061  1288.643168:    5025125 cycles:      557fff7af185 hot+0xc (/srv/app) insn: 48 01 c2"), "hot 1", ""},
		"one line: insn, no dso": {lines("app  7061      557fff7af185 hot insn: 48 01 c2"), "hot 1", ""},
		"one line: brstack":      {lines("app  7061  1288.643168: 5025125 cycles:      557fff7af185 hot+0xc (/srv/app)  0x55d0/0x55d1/P/-/-/0  0x1/0x2/M/-/-/3"), "hot 1", ""},
		"one line: cgroup":       {lines("app  7061  1288.643168: 5025125 cycles:      557fff7af185 hot+0xc (/srv/app) /system.slice/app.service"), "hot 1", ""},
		"one line: data source":  {lines("app  7061  1288.643168: 1 cpu/mem-loads,ldlat=30/P:     7ffc12345678         5080022 |OP LOAD|LVL L1 hit|TLB L1 hit|LCK No    33      557fff7af185 hot+0xc (/srv/app)"), "hot 1", ""},
		"one line: srcline":      {lines("app  7061  1288.643168: 5025125 cycles:      557fff7af185 hot+0xc (/srv/app)", "  hot.c:5", "|5        x += i;"), "hot 1", ""},
		"no stacks":              {lines("app  7061  1288.643168: cycles: ", "app  7061  1288.643168: cycles: "), " 2", ""},
		"tracepoint in one line": {lines("app  7061  1288.643168: probe:x:      557fff7af185 hot"), " 1", ""},
		"insn":                   {strings.Repeat(strings.TrimSuffix(stackEvent, "\n")+" insn: 48 89 15\n", 2), "main;hot 2", ""},
		"ilen, then an event":    {strings.Repeat(strings.TrimSuffix(stackEvent, "\n")+" ilen: 7\n", 2), "main;hot 2", ""},
		"cgroup":                 {strings.Repeat(strings.TrimSuffix(stackEvent, "\n")+" /system.slice/app.service\n", 2), "main;hot 2", ""},
		"registers":              {strings.Repeat(strings.TrimSuffix(stackEvent, "\n")+" ABI:2    AX:0x7f CX:0x1\n", 2), "main;hot 2", ""},
		"branches":               {strings.Repeat(strings.TrimSuffix(stackEvent, "\n")+"  0x55d0/0x55d1/P/-/-/0\n", 2), "main;hot 2", ""},
		"physical address":       {strings.Repeat(strings.TrimSuffix(stackEvent, "\n")+"        123456789 4K\n", 2), "main;hot 2", ""},
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

// With -F +dsoff each frame has another offset in the same object file.
func TestPerfOffsetsInFiles(t *testing.T) {
	p := readText(t, "app 1 1.000000: e: \n\t              10 hot+0x1 (/srv/app+0x1010)\n\t              20 main+0x1 (/srv/app+0x2020)\n\n")
	if len(p.Mapping) != 1 || p.Mapping[0].File != "/srv/app" {
		t.Errorf("mappings %v", p.Mapping)
	}
}
