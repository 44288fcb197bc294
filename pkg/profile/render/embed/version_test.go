package embed

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/test/stacks"
)

func readFile(t *testing.T, name string) (*profile.Profile, error) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := Find(file)
	if err != nil {
		return nil, err
	}
	return Decode(payload)
}

// Pictures of all versions stay readable. The files were written by the programs of their time: no test writes them. A new
// version adds its own files.
func TestVersionsStayReadable(t *testing.T) {
	want, err := os.ReadFile("testdata/versions.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"version1.svg", "version1.html", "version2.svg", "version2.html"} {
		p, err := readFile(t, name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.TimeNanos != 1_795_831_200_000_000_000 {
			t.Errorf("%s: time %d", name, p.TimeNanos)
		}
		p.TimeNanos = 0 // String would show it in the local time zone
		if diff := cmp.Diff(string(want), p.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A picture from before the form had versions, whose lines decode to nonsense.
func TestDevelopmentVersionIsRefused(t *testing.T) {
	_, err := readFile(t, "version1-development.svg")
	if !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "written by a development version of kubectl pprof") {
		t.Errorf("got %v", err)
	}
}

func TestNewerVersionIsRefused(t *testing.T) {
	payload, err := Encode(stacks.New(3), noKind)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		version byte
		want    string
		is      error
	}{
		{'0' + Version + 1, "made by a newer version of kubectl pprof", ErrVersion}, {'9', "version 9, this program reads up to 2", ErrVersion},
		{'0', "no header", ErrDamaged}, {'x', "no header", ErrDamaged},
	} {
		payload[len(magic)] = c.version
		if _, err := Decode(payload); !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("version %q: %v", c.version, err)
		}
	}
}

func TestNegativeLinesAreRefused(t *testing.T) {
	line, start := stacks.New(3), stacks.New(3)
	line.Location[0].Line[0].Line = -1
	start.Function[0].StartLine = -1
	for _, p := range []*profile.Profile{line, start} {
		if _, err := Encode(p, noKind); err == nil || !strings.Contains(err.Error(), "line -1") {
			t.Errorf("written: %v", err)
		}
		columns, err := encodeColumns(p, noKind)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(seal(columns, uint64(len(columns)))); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "line -1") {
			t.Errorf("read: %v", err)
		}
	}
}
