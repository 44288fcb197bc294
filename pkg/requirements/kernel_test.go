package requirements

import "testing"

func TestParseKernel(t *testing.T) {
	cases := []struct {
		release string
		want    Kernel
		ok      bool
	}{
		{"5.10.0-30-cloud-amd64", Kernel{5, 10}, true},
		{"6.18.44", Kernel{6, 18}, true},
		{"6.13.0-rc3", Kernel{6, 13}, true},
		{"6.12.8+bpo-amd64", Kernel{6, 12}, true},
		{"4.18.0-553.el8.x86_64", Kernel{4, 18}, true},
		{"6.14-rc1", Kernel{6, 14}, true},
		{"6", Kernel{}, false},
		{"next", Kernel{}, false},
		{"", Kernel{}, false},
	}
	for _, c := range cases {
		if got, ok := ParseKernel(c.release); got != c.want || ok != c.ok {
			t.Errorf("%q: got %v, %v, want %v, %v", c.release, got, ok, c.want, c.ok)
		}
	}
}

func TestKernelBefore(t *testing.T) {
	cases := []struct {
		kernel Kernel
		want   bool
	}{
		{Kernel{4, 18}, true}, {Kernel{5, 9}, true}, {Kernel{5, 10}, false}, {Kernel{5, 15}, false}, {Kernel{6, 1}, false},
	}
	for _, c := range cases {
		if got := c.kernel.Before(OldestKernel); got != c.want {
			t.Errorf("%v before %v: got %v, want %v", c.kernel, OldestKernel, got, c.want)
		}
	}
}
