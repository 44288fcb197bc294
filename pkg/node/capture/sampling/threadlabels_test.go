//go:build linux

package sampling

import (
	"reflect"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
)

// Samples of different threads have different labels and are told apart by the text that goes with them.
func TestAddThread(t *testing.T) {
	goroutine := []record.Label{{Key: "thread", Value: "of a goroutine"}}
	cases := []struct {
		name   string
		s      record.Sample
		labels []record.Label
	}{
		{"named", record.Sample{Comm: "worker", OwnTID: 7}, []record.Label{{Key: "thread", Value: "worker"}, {Key: "tid", Number: 7}, goroutine[0]}},
		{"another thread of the name", record.Sample{Comm: "worker", OwnTID: 8}, []record.Label{{Key: "thread", Value: "worker"}, {Key: "tid", Number: 8}, goroutine[0]}},
		{"number unknown", record.Sample{Comm: "worker"}, []record.Label{{Key: "thread", Value: "worker"}, goroutine[0]}},
		{"ends like the number", record.Sample{Comm: "worker7"}, []record.Label{{Key: "thread", Value: "worker7"}, goroutine[0]}},
		{"not UTF-8", record.Sample{Comm: "w\xff", OwnTID: 7}, []record.Label{{Key: "thread", Value: "w\uFFFD"}, {Key: "tid", Number: 7}, goroutine[0]}},
	}
	groups := map[string]string{}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			group, labels := addThread(&c.s, "of the goroutine", goroutine)
			if !reflect.DeepEqual(labels, c.labels) {
				t.Errorf("labels %+v, want %+v", labels, c.labels)
			}
			if other, known := groups[group]; known {
				t.Errorf("%q is also that of %q", group, other)
			}
			groups[group] = c.name
		})
	}
}
