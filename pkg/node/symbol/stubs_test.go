//go:build linux

package symbol

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

const pltSource = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int (*volatile taken)(const char *) = atoi; /* with this a stub of atoi is in .plt.got */
int main(int argc, char **argv) { return atoi(argv[0]) + puts(argv[0]) + (int)strtol(argv[0], 0, 10) + taken(argv[0]); }
`

// Every stub has the name that objdump shows.
func TestStubsAgreeWithObjdump(t *testing.T) {
	for name, flags := range map[string][]string{
		"bound at once":      {"-Wl,-z,now"},
		"bound when used":    {"-Wl,-z,lazy"},
		"branch tracking":    {"-Wl,-z,lazy", "-fcf-protection", "-Wl,-z,ibtplt"},
		"at a fixed address": {"-no-pie"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			source, program := filepath.Join(dir, "p.c"), filepath.Join(dir, "p")
			if err := os.WriteFile(source, []byte(pltSource), 0o644); err != nil {
				t.Fatal(err)
			}
			run(t, "cc", append(flags, "-s", "-O1", "-o", program, source)...)
			stubs := 0
			label := regexp.MustCompile(`(?m)^([0-9a-f]{16}) <([a-z_0-9A-Z]+@plt)>:$`)
			for _, m := range label.FindAllStringSubmatch(run(t, "objdump", "-d", program), -1) {
				address, err := strconv.ParseUint(m[1], 16, 64)
				if err != nil {
					t.Fatal(err)
				}
				stubs++
				for _, a := range []uint64{address, address + 5} {
					n := openFile(openPath(t, program), nil)
					n.find([]uint64{a})
					if got := n.frames(a); len(got) != 1 || got[0].name != m[2] {
						t.Errorf("%#x: got %+v, want %s", a, got, m[2])
					}
				}
			}
			if stubs < 2 {
				t.Errorf("objdump shows %d stubs", stubs)
			}
		})
	}
}
