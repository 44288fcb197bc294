package launch

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// A cluster that refuses privileged containers may admit the one capability that reading memory needs.
func TestChooseWithoutPrivilegedContainers(t *testing.T) {
	const refused = "privileged containers are refused here"
	for name, c := range map[string]struct {
		mode     Mode
		memory   bool
		fallback string   // of the plan
		errs     []string // parts of the error; nil: a plan is expected
	}{
		"memory":                        {Auto, true, "an ephemeral container with few capabilities because the ephemeral container is refused: " + refused, nil},
		"memory, Job only":              {Job, true, "a Job with few capabilities because the Job is refused: " + refused, nil},
		"CPU":                           {Auto, false, "", []string{"ephemeral container: " + refused, "Job: " + refused, "--from-endpoint"}},
		"CPU, ephemeral container only": {Ephemeral, false, "", []string{"the ephemeral container is refused: " + refused}},
	} {
		t.Run(name, func(t *testing.T) {
			target := web()
			client := fake.NewClientset(target.Pod)
			for _, on := range []string{"patch pods", "create jobs", "create pods"} {
				verb, resource, _ := strings.Cut(on, " ")
				client.PrependReactor(verb, resource, func(a clienttesting.Action) (bool, runtime.Object, error) {
					var sent string
					switch a := a.(type) {
					case clienttesting.PatchAction:
						sent = string(a.GetPatch())
					case clienttesting.CreateAction:
						sent = fmt.Sprint(a.GetObject())
					}
					if strings.Contains(sent, `"privileged":true`) || strings.Contains(sent, "Privileged:*true") {
						return true, nil, statusError(http.StatusUnprocessableEntity, refused)
					}
					return false, nil, nil
				})
			}
			plan, err := Choose(t.Context(), client, target, c.mode, Options{Image: "profiler:1", MemoryOnly: c.memory})
			if len(c.errs) == 0 {
				if err != nil || plan.Fallback != c.fallback {
					t.Errorf("got %+v, %v", plan, err)
				}
				return
			}
			if !errors.As(err, new(*Refusal)) {
				t.Fatalf("got %+v, %v", plan, err)
			}
			for _, text := range c.errs {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q lacks %q", err, text)
				}
			}
		})
	}
}
