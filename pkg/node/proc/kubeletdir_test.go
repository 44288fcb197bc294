//go:build linux

package proc

import "testing"

func TestParseKubeletDir(t *testing.T) {
	const pod = "pods/0f9c3c6e-5ad4-4a49-a8a0-5b7d6f6d7a11/containers/web"
	for name, tc := range map[string]struct{ text, want string }{
		"a container's": {"812 800 0:34 / / rw - overlay overlay rw\n" +
			"815 812 8:1 /var/lib/kubelet/" + pod + "/1f2e3d4c /dev/termination-log rw,relatime - ext4 /dev/sda1 rw\n", pod},
		"at a path of its own": {"815 812 8:1 /kubelet/" + pod + "/1f2e3d4c /tmp/last-words rw - ext4 /dev/sda1 rw\n", pod},
		"a volume's":           {"815 812 8:1 /var/lib/kubelet/pods/0f9c3c6e-5ad4-4a49-a8a0-5b7d6f6d7a11/volumes/kubernetes.io~empty-dir/x /x rw - ext4 /dev/sda1 rw\n", ""},
		"no container's":       {"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n", ""},
		"garbage":              {"22 1\n\n/pods/\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := parseKubeletDir(tc.text); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
