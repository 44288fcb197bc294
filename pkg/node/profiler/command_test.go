//go:build linux

package profiler

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestHelp(t *testing.T) {
	for _, command := range []string{"", "serve", "relay", "record", "version"} {
		t.Run("profiler "+command, func(t *testing.T) {
			var out bytes.Buffer
			cmd := NewCommand(Streams{Out: &out, Err: &out})
			cmd.SetArgs(append(strings.Fields(command), "--help"))
			if err := cmd.Execute(); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", strings.TrimSuffix("help-"+command, "-")+".txt")
			if *update {
				if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out.Bytes(), want) {
				t.Errorf("the help is not that of %s (-update writes it anew):\n%s", golden, &out)
			}
		})
	}
}
