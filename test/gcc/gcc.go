// Package gcc compiles programs for tests. Its entry point is Compile. It must not depend on what is
// tested.
package gcc

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// Languages of the source of Compile, each with the compiler that links programs in it.
const (
	C   = "gcc"
	CXX = "g++"
)

// Compile returns the object that GCC makes of a source with some flags.
func Compile(t testing.TB, language, source string, flags ...string) []byte {
	t.Helper()
	need.Program(t, language, language)
	path := filepath.Join(t.TempDir(), "object")
	name := map[string]string{C: "c", CXX: "c++"}[language] // as -x takes it
	cmd := exec.Command(language, append(flags, "-o", path, "-x", name, "-")...)
	cmd.Stdin = strings.NewReader(source)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, text)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
