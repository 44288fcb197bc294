package cli

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// servePlanOf parses flags and arguments as the serve command does.
func servePlanOf(t *testing.T, args string) (*serveFlags, *servePlan) {
	t.Helper()
	s, cmd := newServeFlags(), &cobra.Command{}
	s.addTo(cmd)
	if err := cmd.ParseFlags(strings.Fields(args)); err != nil {
		t.Fatal(err)
	}
	plan, err := s.plan(cmd.Flags().Args(), cmd.Flags().Changed)
	if err != nil {
		t.Fatal(err)
	}
	return s, plan
}

// With --require-token, requests without the token of the printed URL are refused.
func TestServeRequiresToken(t *testing.T) {
	address := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 6060}
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "a profile") })
	for args, required := range map[string]bool{"web": false, "web --require-token": true} {
		_, plan := servePlanOf(t, args)
		h, url := plan.protect(page, address)
		base, token, printed := strings.Cut(url, "?token=")
		if base != "http://127.0.0.1:6060/debug/pprof/" || printed != required {
			t.Errorf("%s: URL %s", args, url)
		}
		for query, want := range map[string]bool{"?seconds=1": !required, "?seconds=1&token=" + token: true, "?token=x": !required} {
			r := httptest.NewRequest(http.MethodGet, base+"profile"+query, nil)
			r.RemoteAddr = "127.0.0.1:40000"
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if got := w.Body.String() == "a profile"; got != want {
				t.Errorf("%s, %s: status %d: %s", args, query, w.Code, w.Body)
			}
		}
	}
}

// --token is the flag of kubectl for the API server, in serve too.
func TestServeTokenOfTheAPIServer(t *testing.T) {
	s, plan := servePlanOf(t, "web --token abc --require-token")
	if *s.connection.BearerToken != "abc" || !plan.requireToken {
		t.Errorf("token %q, %v", *s.connection.BearerToken, plan.requireToken)
	}
}

func TestServedURL(t *testing.T) {
	_, plan := servePlanOf(t, "web --address 0.0.0.0")
	if _, url := plan.protect(http.NotFoundHandler(), &net.TCPAddr{IP: net.IPv6unspecified, Port: 6060}); url != "http://localhost:6060/debug/pprof/" {
		t.Error(url)
	}
}

// A flag of a command with the name of a connection flag would replace it.
func TestFlagsDoNotHideConnectionFlags(t *testing.T) {
	streams, _, _, _ := genericiooptions.NewTestIOStreams()
	connection := pflag.NewFlagSet("connection", pflag.ContinueOnError)
	newConnectionFlags().AddFlags(connection)
	root := newCommand(streams, nil)
	for _, cmd := range append(root.Commands(), root) {
		if cmd.Flags().Lookup("server") == nil {
			continue // it does not talk to the cluster
		}
		connection.VisitAll(func(f *pflag.Flag) {
			if got := cmd.Flags().Lookup(f.Name); got == nil || got.Usage != f.Usage {
				t.Errorf("%s: --%s is not the flag of kubectl", cmd.CommandPath(), f.Name)
			}
		})
	}
}
