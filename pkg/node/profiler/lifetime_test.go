//go:build linux

package profiler

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// event is something that happens to a profiler some time after its start.
type event struct {
	at     time.Duration
	change int  // of the number of connections
	silent bool // because the client does not answer
	exit   bool // a client says that it is done
	force  bool
}

// fakeCaptures counts the calls of Abandon.
type fakeCaptures struct {
	until     time.Time // when sampling ends; nothing is wanted if zero
	abandoned int
}

func (f *fakeCaptures) Unfetched() (running, finished bool) {
	if f.until.IsZero() {
		return false, false
	}
	return time.Now().Before(f.until), !time.Now().Before(f.until)
}
func (f *fakeCaptures) Abandon() { f.abandoned++ }

func TestLifetime(t *testing.T) {
	const s = time.Second
	opened := func(at time.Duration) event { return event{at: at, change: 1} }
	closed := func(at time.Duration) event { return event{at: at, change: -1} }
	cases := map[string]struct {
		keep      time.Duration
		deadline  time.Duration
		events    []event
		want      time.Duration // of its life
		err       string
		sampling  time.Duration // of a profile that nobody has got yet
		abandoned int           // how often the captures were given up
	}{
		"nobody ever connects":              {deadline: time.Hour, want: 30 * s, abandoned: 1},
		"nobody ever connects, kept":        {keep: 5 * time.Minute, deadline: time.Hour, want: 5 * time.Minute, abandoned: 1},
		"kept for less than the first wait": {keep: s, deadline: time.Hour, want: 30 * s, abandoned: 1},
		"the only connection closes":        {deadline: time.Hour, events: []event{opened(2 * s), closed(40 * s)}, want: 45 * s, abandoned: 1},
		"the connection is closed while sampling": {deadline: time.Hour, events: []event{opened(2 * s), closed(40 * s)}, sampling: time.Hour,
			want: 52 * s, abandoned: 1},
		"the client falls silent while sampling": {deadline: time.Hour, events: []event{opened(2 * s), {at: 40 * s, change: -1, silent: true}},
			sampling: time.Hour, want: 160 * s, abandoned: 1},
		"the client falls silent before it asks": {deadline: time.Hour, events: []event{opened(2 * s), {at: 20 * s, change: -1, silent: true}},
			want: 140 * s, abandoned: 1},
		"a silent client comes back": {deadline: time.Hour, events: []event{opened(2 * s), {at: 10 * s, change: -1, silent: true}, opened(70 * s),
			{at: 80 * s, exit: true}}, sampling: time.Hour, want: 80 * s},
		"the connection is closed before the result was fetched": {deadline: time.Hour, events: []event{opened(2 * s), closed(40 * s)},
			sampling: 30 * s, want: 160 * s, abandoned: 1},
		"sampling ends when the connection was closed": {deadline: time.Hour, events: []event{opened(2 * s), closed(40 * s)},
			sampling: 45 * s, want: 172 * s, abandoned: 1},
		"a connection comes back":             {deadline: time.Hour, events: []event{opened(2 * s), closed(10 * s), opened(14 * s), closed(60 * s)}, want: 65 * s, abandoned: 1},
		"two connections":                     {deadline: time.Hour, events: []event{opened(2 * s), opened(3 * s), closed(10 * s), closed(50 * s)}, want: 55 * s, abandoned: 1},
		"kept after the last connection":      {keep: time.Minute, deadline: time.Hour, events: []event{opened(2 * s), closed(10 * s)}, want: 75 * s, abandoned: 2},
		"the next client while kept":          {keep: time.Minute, deadline: time.Hour, events: []event{opened(2 * s), closed(10 * s), opened(70 * s), closed(80 * s)}, want: 145 * s, abandoned: 3},
		"the deadline with a client":          {deadline: time.Minute, events: []event{opened(2 * s)}, want: time.Minute, err: "deadline"},
		"the deadline while kept":             {keep: time.Hour, deadline: time.Minute, want: time.Minute, err: "deadline"},
		"exit":                                {deadline: time.Hour, events: []event{opened(2 * s), {at: 9 * s, exit: true}}, want: 9 * s},
		"exit while kept":                     {keep: time.Minute, deadline: time.Hour, events: []event{opened(2 * s), {at: 9 * s, exit: true}, closed(9 * s)}, want: 74 * s, abandoned: 2},
		"forced exit while kept":              {keep: time.Minute, deadline: time.Hour, events: []event{opened(2 * s), {at: 9 * s, exit: true, force: true}}, want: 9 * s},
		"exit of a client that did not close": {keep: time.Minute, deadline: 2 * time.Minute, events: []event{opened(2 * s), {at: 9 * s, exit: true}}, want: 2 * time.Minute, err: "deadline"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				start, captures := time.Now(), &fakeCaptures{}
				if tc.sampling > 0 {
					captures.until = start.Add(tc.sampling)
				}
				l := newLifetime(start.Add(tc.deadline), tc.keep, captures)
				exit := l.requestExit(ctx)
				go func() {
					for _, e := range tc.events {
						time.Sleep(time.Until(start.Add(e.at)))
						if !e.exit {
							l.connections <- connectionChange{delta: e.change, silent: e.silent}
						} else if got, want := exit(e.force), e.force || tc.keep == 0; got != want {
							t.Errorf("exit answered %v, want %v", got, want)
						}
					}
				}()
				err := l.run(ctx)
				if got := time.Since(start); got != tc.want || captures.abandoned != tc.abandoned {
					t.Errorf("lived %v and gave up captures %d times, want %v and %d", got, captures.abandoned, tc.want, tc.abandoned)
				}
				if tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
					t.Errorf("ended with %v, want %q", err, tc.err)
				}
			})
		})
	}
}

func TestLifetimeEndsBySignal(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newLifetime(time.Now().Add(time.Hour), 0, &fakeCaptures{}).run(ctx); err != nil {
		t.Error(err)
	}
}

// Connections closed by the client are distinguished from those closed by the profiler.
func TestWhoEndedAConnection(t *testing.T) {
	for name, byClient := range map[string]bool{"the client": true, "the profiler": false} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			client, err := net.Dial("unix", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			conn, err := clientListener{l}.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if byClient {
				client.Close()
			} else {
				time.AfterFunc(10*time.Millisecond, func() { conn.Close() })
			}
			if _, err := conn.Read(make([]byte, 1)); err == nil {
				t.Fatal("reading did not end")
			}
			life := newLifetime(time.Now().Add(time.Hour), 0, &fakeCaptures{})
			go life.connState(t.Context())(conn, http.StateClosed)
			if change := <-life.connections; change.silent == byClient || change.delta != -1 {
				t.Errorf("got %+v", change)
			}
		})
	}
}
