package cli

import (
	"os"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

const (
	readme  = "../../../README.md"
	flagsTo = "<!-- end of flags -->\n"
)

// The README's lists of flags are those of --help.
func TestReadmeFlags(t *testing.T) {
	t.Setenv("KUBECTL_PPROF_IMAGE", "")
	for command, from := range map[string]string{
		"":        "<!-- flags: written by `go test ./pkg/plugin/cli -update` -->\n",
		"convert": "<!-- flags of convert: written by `go test ./pkg/plugin/cli -update` -->\n",
		"diff":    "<!-- flags of diff: written by `go test ./pkg/plugin/cli -update` -->\n",
		"serve":   "<!-- flags of serve: written by `go test ./pkg/plugin/cli -update` -->\n",
		"view":    "<!-- flags of view: written by `go test ./pkg/plugin/cli -update` -->\n",
	} {
		t.Run(command, func(t *testing.T) { checkFlags(t, strings.Fields("kubectl-pprof "+command+" --help"), from) })
	}
}

func checkFlags(t *testing.T, args []string, flagsFrom string) {
	streams, _, stdout, _ := genericiooptions.NewTestIOStreams()
	if code := Main(args, streams, nil); code != 0 {
		t.Fatalf("--help: exit code %d", code)
	}
	_, flags, ok1 := strings.Cut(stdout.String(), "\nFlags:\n")
	flags, _, _ = strings.Cut(flags, "\n\n")
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok2 := strings.Cut(string(text), flagsFrom)
	_, after, ok3 := strings.Cut(rest, flagsTo)
	if !ok1 || !ok2 || !ok3 {
		t.Fatal("no list of flags in the help, or no place for it in the README")
	}
	var indented strings.Builder
	for line := range strings.Lines(strings.TrimSuffix(flags, "\n") + "\n") {
		indented.WriteString("  " + line)
	}
	want := before + flagsFrom + "\n" + indented.String() + "\n" + flagsTo + after
	if *update {
		if err := os.WriteFile(readme, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Error("the README's flags are not those of --help; run `go test ./pkg/plugin/cli -update`")
	}
}
