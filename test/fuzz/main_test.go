package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

const progress = `fuzz: elapsed: 0s, gathering baseline coverage: 0/2 completed
fuzz: elapsed: 3s, execs: 16413 (5471/sec), new interesting: 80 (total: 82)
fuzz: elapsed: 6s, execs: 33763 (5783/sec), new interesting: 90 (total: 92)
`

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		output string
		failed bool
		want   result
	}{
		"nothing found": {progress + "PASS\nok  \tp\t6.1s\n", false, result{33763, 90, ""}},
		"time was up during an input": {
			progress + "--- FAIL: FuzzX (6.06s)\n    context deadline exceeded\nFAIL\nexit status 1\nFAIL\tp\t6.068s\n", true, result{33763, 90, ""},
		},
		"an input fails": {
			progress + "--- FAIL: FuzzX (1.0s)\n    --- FAIL: FuzzX (0.00s)\n        x_test.go:3: bad\n    \n    Failing input written to testdata/fuzz/FuzzX/771e938e4458e983\n" +
				"    To re-run:\n    go test -run=FuzzX/771e938e4458e983\nFAIL\nexit status 1\nFAIL\tp\t1.1s\n",
			true, result{33763, 90, "FAIL: testdata/fuzz/FuzzX/771e938e4458e983"},
		},
		"a seed fails": {
			"failure while testing seed corpus entry: FuzzX/seed#2\n--- FAIL: FuzzX (0.1s)\nFAIL\n", true,
			result{0, 0, "FAIL: failure while testing seed corpus entry: FuzzX/seed#2"},
		},
		"it does not compile": {"# p\n./x.go:1:1: bad\nFAIL\tp [build failed]\nFAIL\n", true, result{0, 0, "FAIL: FAIL\tp [build failed]"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := parse(c.output, c.failed); got != c.want {
				t.Errorf("parse returned %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestListTargetsFindsThoseOfAllPackages(t *testing.T) {
	targets, err := listTargets(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []target{{"pkg/profile/read", "FuzzData"}, {"pkg/wire/api/client", "FuzzClient"}} { // package read, package client_test
		if !slices.Contains(targets, want) {
			t.Errorf("%v is not among %v", want, targets)
		}
	}
	if some, err := listTargets(t.Context(), []string{"^pkg/wire/logs/FuzzRead$"}); err != nil || len(some) != 1 {
		t.Errorf("a pattern selects %v, %v", some, err)
	}
	if _, err := listTargets(t.Context(), []string{"FuzzNothing"}); err == nil {
		t.Error("a pattern without a target is accepted")
	}
}

var bodyPattern = regexp.MustCompile(`(?m)^\t\w+\.Fuzz\(func\(.*\{\n\t\t(.*)$`)

// A target without a budget would not find inputs that cost much memory or time.
func TestTargetsHaveABudget(t *testing.T) {
	targets, err := listTargets(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	perDir := map[string]int{}
	for _, target := range targets {
		perDir[target.dir]++
	}
	for dir, want := range perDir {
		files, err := filepath.Glob(filepath.Join("../..", dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range bodyPattern.FindAllSubmatch(source, -1) {
				want--
				if first := string(m[1]); first != "fuzzbudget.Enforce(t)" {
					t.Errorf("%s: a fuzz target begins with %q, want fuzzbudget.Enforce(t)", file, first)
				}
			}
		}
		if want > 0 {
			t.Errorf("%s: the bodies of %d fuzz targets were not found", dir, want)
		}
	}
}
