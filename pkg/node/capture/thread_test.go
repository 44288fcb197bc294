//go:build linux

package capture

import (
	"reflect"
	"testing"
)

// Samples of different threads have different labels and are told apart by the text that goes with them.
func TestAddThread(t *testing.T) {
	goroutine := []label{{key: "thread", value: "of a goroutine"}}
	cases := []struct {
		name   string
		s      sample
		labels []label
	}{
		{"named", sample{comm: "worker", ownTID: 7}, []label{{key: "thread", value: "worker"}, {key: "tid", number: 7}, goroutine[0]}},
		{"another thread of the name", sample{comm: "worker", ownTID: 8}, []label{{key: "thread", value: "worker"}, {key: "tid", number: 8}, goroutine[0]}},
		{"number unknown", sample{comm: "worker"}, []label{{key: "thread", value: "worker"}, goroutine[0]}},
		{"ends like the number", sample{comm: "worker7"}, []label{{key: "thread", value: "worker7"}, goroutine[0]}},
		{"not UTF-8", sample{comm: "w\xff", ownTID: 7}, []label{{key: "thread", value: "w\uFFFD"}, {key: "tid", number: 7}, goroutine[0]}},
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
