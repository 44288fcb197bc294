package cli

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

const (
	flagReference    = "../../../docs/reference/flags.md"
	flagReferenceEnd = "<!-- end of flags -->\n"
)

// TestFlagReference checks that the lists of flags in docs/reference/flags.md equal those of --help;
// -update writes them.
func TestFlagReference(t *testing.T) {
	t.Setenv("KUBECTL_PPROF_IMAGE", "")
	for _, command := range []string{"", "serve", "diff", "convert", "top", "view", "doctor", "rbac"} {
		t.Run(cmp.Or(command, "kubectl-pprof"), func(t *testing.T) { checkFlagReference(t, command) })
	}
}

func checkFlagReference(t *testing.T, command string) {
	text, err := os.ReadFile(flagReference)
	if err != nil {
		t.Fatal(err)
	}
	begin := "<!-- flags: written by `go test ./pkg/plugin/cli -update` -->\n"
	if command != "" {
		begin = fmt.Sprintf("<!-- flags of %s: written by `go test ./pkg/plugin/cli -update` -->\n", command)
	}
	before, rest, foundBegin := strings.Cut(string(text), begin)
	_, after, foundEnd := strings.Cut(rest, flagReferenceEnd)
	if !foundBegin || !foundEnd {
		t.Fatalf("%s has no place for the flags of %q", flagReference, command)
	}
	want := before + begin + "\n" + indentedFlags(t, command) + "\n" + flagReferenceEnd + after
	if *update {
		if err := os.WriteFile(flagReference, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Errorf("the flags of %q in %s differ from --help; run `go test ./pkg/plugin/cli -update`", command, flagReference)
	}
}

// indentedFlags returns the section "Flags:" of a command's help as an indented code block.
func indentedFlags(t *testing.T, command string) string {
	streams, _, stdout, _ := genericiooptions.NewTestIOStreams()
	args := append([]string{"kubectl-pprof"}, strings.Fields(command)...)
	if code := Main(append(args, "--help"), streams, nil); code != 0 {
		t.Fatalf("--help: exit code %d", code)
	}
	_, flags, found := strings.Cut(stdout.String(), "\nFlags:\n")
	if !found {
		t.Fatalf("the help of %q has no flags", command)
	}
	flags, _, _ = strings.Cut(flags, "\n\n")
	var indented strings.Builder
	for line := range strings.Lines(strings.TrimSuffix(flags, "\n") + "\n") {
		indented.WriteString("  " + line)
	}
	return indented.String()
}
