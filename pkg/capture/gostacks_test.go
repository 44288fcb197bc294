package capture_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestGoStacks(t *testing.T) {
	dir := t.TempDir()
	src, _ := os.ReadFile("testdata/gostacks/main.go.txt")
	os.WriteFile(filepath.Join(dir, "main.go"), src, 0o644)
	exe := filepath.Join(dir, "p")
	cmd := exec.Command("go", "build", "-o", exe, "main.go")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN="+os.Getenv("TC"), "GOFLAGS="+os.Getenv("GF"), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatal(string(out))
	}
	for _, w := range strings.Split(os.Getenv("WL"), ",") {
		p := profileOf(t, exec.Command(exe, w), 499, time.Second)
		m := map[string]int64{}
		for _, s := range p.Sample {
			k := names(s)
			for a, b := range s.Label {
				if a != "process" {
					k += " " + a + "=" + strings.Join(b, "|")
				}
			}
			m[k] += s.Value[0]
		}
		for k, n := range m {
			if n > 1 {
				t.Log(w, n, k)
			}
		}
		t.Log(p.Comments)
	}
}
