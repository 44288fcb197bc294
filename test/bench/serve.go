//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// served is a running `kubectl pprof serve` for one type of profile.
type served struct {
	cmd *exec.Cmd
	url string
}

// announced matches the line that `serve` prints when it is ready; it contains the URL.
var announced = regexp.MustCompile(`serving (http://[^/]+)/`)

// serve starts `kubectl pprof serve` for a pod.
func (b *bench) serve(ctx context.Context, pod string, t api.ProfileType) (*served, error) {
	cmd := exec.CommandContext(ctx, os.Getenv("PPROF_PLUGIN"), "serve", "-n", b.namespace, "--ephemeral", "--port", "0", "--type", t.Name, pod)
	said, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &served{cmd: cmd}
	var last string
	for lines := bufio.NewScanner(said); lines.Scan(); last = lines.Text() {
		if found := announced.FindStringSubmatch(lines.Text()); found != nil {
			s.url = found[1] + t.Path
			go func() { // a full pipe would block it
				for lines.Scan() {
				}
			}()
			return s, nil
		}
	}
	s.close()
	return nil, fmt.Errorf("%v: %s", cmd.Args, last)
}

type answer struct {
	profile *profile.Profile
	err     error
}

// ask requests a profile.
func (s *served) ask(ctx context.Context, q url.Values) <-chan answer {
	done := make(chan answer, 1)
	go func() {
		p, err := s.get(ctx, s.url+"?"+q.Encode())
		done <- answer{p, err}
	}()
	return done
}

func (s *served) get(ctx context.Context, url string) (*profile.Profile, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	return profile.Parse(response.Body)
}

func (s *served) close() {
	s.cmd.Process.Signal(os.Interrupt)
	s.cmd.Wait()
}
