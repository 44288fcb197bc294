package requirements

import "testing"

func TestUserReadsOf(t *testing.T) {
	cases := []struct {
		release string
		want    UserReads
	}{
		{"5.10.0-30-cloud-amd64", UserReadsSafe},
		{"5.15.0-1051-aws", UserReadsSafe},
		{"5.14.0", UserReadsSafe},
		{"5.14.0-427.13.1.el9_4.x86_64", UserReadsUnknown},
		{"5.14.21-150500.55.52-default", UserReadsUnknown},
		{"5.17.15", UserReadsSafe},
		{"5.18.19", UserReadsUnsafe},
		{"5.19.17", UserReadsUnsafe},
		{"5.19.0-46-generic", UserReadsUnknown},
		{"6.0.19", UserReadsUnsafe},
		{"6.1", UserReadsUnsafe},
		{"6.1.25-37.47.amzn2023.x86_64", UserReadsUnsafe},
		{"6.1.35", UserReadsUnsafe},
		{"6.1.36", UserReadsSafe},
		{"6.1.90-99.173.amzn2023.x86_64", UserReadsSafe},
		{"6.1.0-13-amd64", UserReadsUnknown},
		{"6.2.16", UserReadsUnsafe},
		{"6.2.0-39-generic", UserReadsUnknown},
		{"6.3.9", UserReadsUnsafe},
		{"6.3.10", UserReadsSafe},
		{"6.4.0", UserReadsSafe},
		{"6.4.0-150600.21-default", UserReadsSafe},
		{"6.12.57+deb12-amd64", UserReadsSafe},
		{"7.0.1", UserReadsSafe},
		{"6", UserReadsUnknown},
		{"", UserReadsUnknown},
		{"99999999999999999999.1", UserReadsUnknown},
	}
	for _, c := range cases {
		if got := UserReadsOf(c.release); got != c.want {
			t.Errorf("%q: got %d, want %d", c.release, got, c.want)
		}
	}
}

func TestUpstreamRelease(t *testing.T) {
	cases := []struct{ version, signature, want string }{
		{"#1 SMP PREEMPT_DYNAMIC Debian 6.1.55-1 (2023-09-29)", "", "6.1.55"},
		{"#1 SMP PREEMPT_DYNAMIC Debian 6.12.57-1~bpo12+1 (2025-11-17)", "", "6.12.57"},
		{"#40~22.04.1-Ubuntu SMP PREEMPT_DYNAMIC", "Ubuntu 6.2.0-39.40~22.04.1-generic 6.2.16\n", "6.2.16"},
		{"#1 SMP PREEMPT_DYNAMIC Tue Jun 6 2023", "", ""},
		{"", "Ubuntu 6.2.0", ""},
	}
	for _, c := range cases {
		if got := UpstreamRelease(c.version, c.signature); got != c.want {
			t.Errorf("%q, %q: got %q, want %q", c.version, c.signature, got, c.want)
		}
	}
}
