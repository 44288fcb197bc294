package debian

import "testing"

func TestMirrorsOfTheMachine(t *testing.T) {
	const ownArchive = `https://packages.example/apt/ Example Example
http://mirror.example/debian/ Debian Debian
http://other.example/debian/ Debian Debian
http://mirror.example/debian/ Debian Debian Backports
`
	for _, test := range []struct {
		name, targets string
		want          mirrors
	}{
		{"archive and security", ownArchive + "http://mirror.example/debian-security/ Debian Debian-Security\n",
			mirrors{"http://mirror.example/debian", "http://mirror.example/debian-security"}},
		{"no security source", ownArchive, mirrors{"http://mirror.example/debian", "http://mirror.example/debian-security"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := parseMirrors(test.targets); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestSourcesOfSuites(t *testing.T) {
	got := mirrors{"http://archive.example", "http://security.example"}.sources([]string{"bookworm", "bookworm-security"})
	const want = "deb [signed-by=" + keyring + "] http://archive.example bookworm main\n" +
		"deb [signed-by=" + keyring + "] http://security.example bookworm-security main\n"
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
