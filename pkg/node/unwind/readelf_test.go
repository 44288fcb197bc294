package unwind

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// At the address of every row that binutils' readelf prints, the table has the same rule.
func TestAgreesWithReadelf(t *testing.T) {
	need.Program(t, "readelf", "binutils")
	for _, path := range []string{"/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libm.so.6", "/bin/bash", "/usr/bin/perl", "/usr/bin/ld.bfd"} {
		file, err := os.Open(path)
		if err != nil {
			t.Logf("left out: %v", err)
			continue
		}
		defer file.Close()
		f, err := object.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(path), func(t *testing.T) { agree(t, f, path) })
	}
}

func agree(t *testing.T, f *object.File, path string) {
	rules := NewRuleSet()
	table, err := Compile(f, rules)
	if err != nil {
		t.Fatal(err)
	}
	all, err := rowsOf(table)
	if err != nil {
		t.Fatal(err)
	}
	at := func(address uint64) Rule {
		i := sort.Search(len(all), func(i int) bool { return table.Base+uint64(all[i].Address) > address })
		if i == 0 {
			return Rule{}
		}
		return rules.All()[all[i-1].Rule]
	}
	out, err := exec.Command("readelf", "--debug-dump=frames-interp", path).Output()
	if err != nil && len(out) == 0 {
		t.Fatal(err)
	}
	rows, others, columns := 0, 0, []string(nil)
	described := false // within an FDE, not a CIE
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) < 3 || strings.Contains(lines.Text(), "section") || strings.Contains(lines.Text(), "terminator"):
		case fields[0] == "LOC":
			columns = fields[1:]
		case strings.Contains(lines.Text(), " FDE "):
			described = true
		case strings.Contains(lines.Text(), " CIE "):
			described = false
		case described:
			address, err := strconv.ParseUint(fields[0], 16, 64)
			if err != nil {
				t.Fatalf("readelf's line %q is not as expected", lines.Text())
			}
			rows++
			if len(fields) != len(columns)+1 { // columns with spaces
				others++
				continue
			}
			want := map[string]string{}
			for i, c := range columns {
				want[c] = fields[i+1]
			}
			got := at(address)
			if got.CFA == Signal || want["CFA"] == "exp" && got.CFA != Register {
				others++
				continue
			}
			if shown := show(got); want["ra"] != shown["ra"] || want["ra"] != "u" && (want["CFA"] != shown["CFA"] ||
				strings.TrimPrefix(want["rbp"], "u") != shown["rbp"]) {
				t.Errorf("%#x: %v, readelf has %v", address, got, want)
				return
			}
		}
	}
	t.Logf("%d rows, %d of them expressions", rows, others)
	if rows < 1000 || others > rows/10 {
		t.Errorf("of %d rows %d were not compared", rows, others)
	}
}

// show returns the columns of a rule as readelf prints them.
func show(r Rule) map[string]string {
	if r.CFA == Root {
		return map[string]string{"ra": "u"}
	}
	registers := []string{"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"}
	saved := func(s Saved, offset int32) string {
		switch s {
		case AtCFA:
			return "c" + signed(offset)
		case AtFP:
			return "exp"
		case InRegister:
			return registers[offset]
		}
		return ""
	}
	return map[string]string{
		"CFA": registers[r.Reg] + signed(r.Offset), "ra": saved(r.RA, r.RAOffset), "rbp": saved(r.FP, r.FPOffset),
	}
}

func signed(n int32) string {
	if n < 0 {
		return strconv.Itoa(int(n))
	}
	return "+" + strconv.Itoa(int(n))
}
