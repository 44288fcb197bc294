package cli

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/session"
)

func TestWrongUsage(t *testing.T) {
	for name, c := range map[string]struct {
		args string
		want string
	}{
		"no argument":              {"", "name what to profile: [TYPE/]NAME, or NAMESPACE POD [CONTAINER]"},
		"four arguments":           {"a b c d", "4 arguments: at most three are possible"},
		"unknown type of object":   {"ingress/web", `unknown type "ingress"; choose one of: pod, deployment, statefulset, daemonset, replicaset, job, service`},
		"no name":                  {"deploy/", `"deploy/" is neither the name of a pod nor TYPE/NAME`},
		"two namespaces":           {"-n a b web", `two namespaces: "b" as argument and "a" by --namespace`},
		"two containers":           {"a web app -c other", `two containers: "app" as argument and "other" by --container`},
		"unknown profile type":     {"web --type heap2", `unknown profile type "heap2"; choose one of: cpu`},
		"unknown format":           {"web -f gif", `unknown format "gif"; choose one of: svg, html, pprof, folded, speedscope, json, text, tree, png`},
		"unknown ending":           {"web -o web.doc", `--output web.doc: no format has this ending; choose one with --format: svg, html, pprof, folded, speedscope, json, text, tree, png`},
		"two formats":              {"web --json -f svg", "--json and --format svg exclude each other"},
		"one format for several":   {"web -f svg -o a.svg -o b.svg", "--format svg is for a single output: with several, each has the format of its ending"},
		"a width for nothing":      {"web --width 500", "--width is for the formats png and tree"},
		"a scale for nothing":      {"web -f tree --scale 2", "--scale is for the format png"},
		"too small a picture":      {"web -o a.png --width 20", "the width of a picture must be from 300 to 4000 pixels, not 20"},
		"an output twice":          {"web -o a.svg -o ./a.svg", "--output ./a.svg is given twice"},
		"unknown flag":             {"web --jon", "unknown flag: --jon"},
		"duration without a unit":  {"web -d 30", "must be a duration like"},
		"no duration":              {"web -d 0s", "--duration 0s: must be above 0 and at most 1h0m0s"},
		"too long a duration":      {"web -d 2h", "--duration 2h0m0s: must be above 0"},
		"frequency too high":       {"web --frequency 1001", "--frequency 1001: must be from 1 to 1000"},
		"frequency too low":        {"web --frequency 0", "--frequency 0: must be from 1 to 1000"},
		"no such level":            {"web --by color", "--by color: must be thread or goroutine"},
		"a memory profile of time": {"web --enable-memprofile", "--enable-memprofile: only for type "},
		"a rate for nothing":       {"web --memprofile-rate 1000", "--memprofile-rate needs --enable-memprofile"},
		"nothing to freeze":        {"web --freeze", "--freeze: only for type "},
		"a level of another type":  {"web --by goroutine", "--by goroutine: only for type "},
		"no number":                {"web --pid x", `invalid argument "x" for "--pid" flag: must be integers, separated by commas`},
		"no such process":          {"web --pid 0", "--pid 0: must be above 0"},
		"negative keep":            {"web --keep -1s", "--keep -1s: must not be negative"},
		"no timeout":               {"web --timeout 0s", "--timeout 0s: must be above 0"},
		"pull policy":              {"web --image-pull-policy always", `--image-pull-policy "always": choose Always, IfNotPresent or Never`},
		"two modes":                {"web --ephemeral --job", "--ephemeral and --job exclude each other"},
		"a Job's flag without it":  {"web --ephemeral --job-namespace x", "are for Jobs, not for --ephemeral"},
		"open stdout":              {"web --open -o -", "--open needs a file: --output - cannot be opened"},
		"quiet and verbose":        {"web -q -v", "--quiet and --verbose exclude each other"},
	} {
		t.Run(name, func(t *testing.T) {
			streams, _, stdout, stderr := genericiooptions.NewTestIOStreams()
			if code := Main(strings.Fields("kubectl-pprof "+c.args), streams, nil); code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			if got := stderr.String(); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, c.want) ||
				!strings.HasSuffix(got, "\nSee 'kubectl pprof --help' for usage.\n") {
				t.Errorf("stderr: %s\nwant %s", got, c.want)
			}
			if stdout.Len() > 0 {
				t.Errorf("stdout: %s", stdout)
			}
		})
	}
}

// The last line of an error leads to the help of the command that was used. Every mistake in the
// arguments has exit code 2.
func TestWrongUsageOfSubcommands(t *testing.T) {
	t.Setenv("KUBECONFIG", "/dev/null")
	file := filepath.Join(t.TempDir(), "a.folded")
	if err := os.WriteFile(file, []byte("main 1\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"serve web --for 0s":             "--for 0s: must be above 0",
		"diff web":                       "name two files or pods to compare; got 1",
		"diff a b -f bogus":              `unknown format "bogus"; choose one of: text, svg, html, pprof`,
		"diff a b -o change.doc":         "--output change.doc: no format has this ending; choose one with --format: text, svg, html, pprof",
		"diff FILE FILE -d 5s":           "--duration is for profiling pods, and both FILE and FILE are files; for a pod write pod/NAME",
		"diff FILE FILE --pid 1":         "--pid is for profiling pods",
		"diff FILE FILE -q -v":           "--quiet and --verbose exclude each other",
		"convert FILE b.foo":             "error: b.foo: no format has this ending; choose one with --format: svg,",
		"convert FILE b.svg b.svg":       "error: b.svg is given twice",
		"convert FILE a b -f svg":        "--format svg is for a single output",
		"top":                            "name one file to read; got 0",
		"top FILE --bogus":               "unknown flag: --bogus",
		"view FILE --http bogus":         `--http: "bogus" is not HOST:PORT`,
		"view FILE --source --http :::0": `--http: ":::0" is not HOST:PORT`,
		"view FILE FILE":                 "name one file to read; got 2",
		"doctor web -o yaml":             `--output "yaml": choose table or json`,
		"rbac user/a user/b":             "name one user, group or service account; got 2",
		"rbac user/a -n Shop":            `--namespace "Shop": a lowercase RFC 1123 label must`,
		"rbac serviceaccount/a_b":        `service account "a_b": a lowercase RFC 1123 subdomain must`,
		"rbac user/a --mode everything":  `--mode "everything": choose ephemeral, job or endpoint`,
	} {
		t.Run(args, func(t *testing.T) {
			streams, _, stdout, stderr := genericiooptions.NewTestIOStreams()
			command, _, _ := strings.Cut(args, " ")
			all := strings.Fields(strings.ReplaceAll("kubectl-pprof "+args, "FILE", file))
			if code := Main(all, streams, nil); code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			if got := strings.ReplaceAll(stderr.String(), file, "FILE"); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, want) ||
				!strings.HasSuffix(got, "\nSee 'kubectl pprof "+command+" --help' for usage.\n") {
				t.Errorf("stderr: %s\nwant %s", got, want)
			}
			if stdout.Len() > 0 {
				t.Errorf("stdout: %s", stdout)
			}
		})
	}
	streams, _, stdout, stderr := genericiooptions.NewTestIOStreams()
	if code := Main([]string{"kubectl-pprof", "rbac", "user/a", "-n", "A B"}, streams, nil); code != exitUsage || stdout.Len() > 0 {
		t.Errorf("rbac -n 'A B': exit code %d, stdout %s, stderr %s", code, stdout, stderr)
	}
}

// A file given as the name of a pod leads to the commands that read files, whether or not a pod may
// have the name.
func TestFileInsteadOfPod(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("KUBECONFIG", "/dev/null")
	if err := errors.Join(os.WriteFile("web.svg", nil, 0o666), os.WriteFile("Web 1.svg", nil, 0o666)); err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(http.NotFoundHandler())
	defer api.Close()
	for _, name := range []string{"web.svg", "./web.svg", "Web 1.svg"} {
		streams, _, _, stderr := genericiooptions.NewTestIOStreams()
		Main([]string{"kubectl-pprof", name, "--server", api.URL}, streams, nil)
		want := fmt.Sprintf("; %[1]s is a file: did you mean `kubectl pprof view %[1]s` or `kubectl pprof convert %[1]s OUT`?\n", name)
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("%s: %s", name, stderr)
		}
	}
	streams, _, _, stderr := genericiooptions.NewTestIOStreams()
	Main([]string{"kubectl-pprof", "web.svg", "--frequency", "0"}, streams, nil)
	if strings.Contains(stderr.String(), "is a file") {
		t.Errorf("the hint is at another error: %s", stderr)
	}
}

func TestArguments(t *testing.T) {
	for name, c := range map[string]struct {
		args                            string
		namespace, typ, name, container string
		format                          string
		mode                            launch.Mode
	}{
		"a pod":                        {args: "web", name: "web", format: "svg"},
		"a workload and a container":   {args: "deploy/web -c app --ephemeral", typ: "deploy", name: "web", container: "app", format: "svg", mode: launch.Ephemeral},
		"namespace and pod":            {args: "shop web --job", namespace: "shop", name: "web", format: "svg", mode: launch.Job},
		"namespace, pod and container": {args: "shop web app -o x.pb.gz", namespace: "shop", name: "web", container: "app", format: "pprof"},
		"the same namespace twice":     {args: "shop svc/web -n shop --json", namespace: "shop", typ: "svc", name: "web", format: "json"},
		"the format beats the ending":  {args: "web -f folded -o x.svg", name: "web", format: "folded"},
		"stdout":                       {args: "web -o -", name: "web", format: "svg"},
		"several outputs":              {args: "web -o x.svg -o y.pb.gz -o -", name: "web", format: "svg pprof svg"},
		"a device without an ending":   {args: "web -o /dev/null", name: "web", format: "svg"},
	} {
		t.Run(name, func(t *testing.T) {
			plan, err := planOf(t, c.args)
			if err != nil {
				t.Fatal(err)
			}
			q := plan.target.query
			if q.Namespace != c.namespace || q.Type != c.typ || q.Name != c.name || q.Container != c.container {
				t.Errorf("query %+v", q)
			}
			var formats []string
			for _, f := range plan.files[0] {
				formats = append(formats, string(f.format))
			}
			if got := strings.Join(formats, " "); got != c.format || plan.session.Mode != c.mode {
				t.Errorf("formats %q, mode %q", got, plan.session.Mode)
			}
		})
	}
}

func TestKeepFlag(t *testing.T) {
	for args, want := range map[string]struct {
		keep      time.Duration
		endReused bool
	}{
		"":           {0, false},
		"--keep 5m":  {5 * time.Minute, false},
		"--keep 0s":  {0, true},
		"--keep=1m":  {time.Minute, false},
		"--keep=0ms": {0, true},
	} {
		plan, err := planOf(t, "web "+args)
		if err != nil {
			t.Fatal(err)
		}
		if got := plan.session; got.Launch.Keep != want.keep || got.EndReused != want.endReused {
			t.Errorf("%s: %v, end of a reused profiler %v", args, got.Launch.Keep, got.EndReused)
		}
	}
}

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		want int
		err  error
	}{
		{exitOK, nil},
		{exitUsage, fmt.Errorf("wrapped: %w", usageError{errors.New("no")})},
		{exitInterrupted, errors.Join(errInterrupted, errors.New("the Job could not be deleted"))},
		{exitPartial, fmt.Errorf("%w: the target ended", errPartial)},
		{exitPartial, fmt.Errorf("%w:\n  mutex: the program does not collect it", session.ErrMissing)},
		{exitPartial, (&session.Outcome{Results: []*session.Result{{Profile: new(profile.Profile)}, {Err: errors.New("none")}}}).Missing()},
		{exitError, (&session.Outcome{Results: []*session.Result{{Err: errors.New("none")}, {Err: errors.New("none")}}}).Missing()},
		{exitError, (&session.Outcome{Results: []*session.Result{{Err: errors.New("none")}}}).Missing()},
		{exitError, &url.Error{Op: "Get", URL: "https://10.0.0.1/api", Err: errors.New("refused")}},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("exitCode(%v) = %d, want %d", c.err, got, c.want)
		}
	}
}

func TestCount(t *testing.T) {
	var b bytes.Buffer
	for _, n := range []int64{0, 1, 999, 1000, 1234567} {
		fmt.Fprintf(&b, "%s; ", count(n, "process"))
	}
	if want := "0 processes; 1 process; 999 processes; 1,000 processes; 1,234,567 processes; "; b.String() != want {
		t.Errorf("got %s", &b)
	}
}
