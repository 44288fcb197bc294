package programs

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// compareOwn compares a program that serves net/http/pprof with what it says itself: under load, in
// its pod that runs, and at rest, in another one.
func (r *Runner) compareOwn(ctx context.Context, p Program) ([]Comparison, error) {
	all, err := r.inPod(p).compareBusy(ctx)
	if err != nil {
		return nil, err
	}
	p.Name, p.Load = p.Name+"-resting", ""
	remove, err := r.start(ctx, p)
	if err != nil {
		return nil, err
	}
	defer remove()
	s := r.inPod(p)
	for deadline := time.Now().Add(time.Minute); ; { // its container is ready before the pod is
		_, err := s.ask(ctx, "goroutine")
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			return nil, err
		}
		time.Sleep(200 * time.Millisecond)
	}
	resting, err := s.compareResting(ctx)
	return append(all, resting...), err
}

// inPod is a program in a pod. Its own profiles come through the API server's proxy, ours from the
// plugin.
func (r *Runner) inPod(p Program) *subject {
	scheme, port, _ := strings.Cut(p.Own, ":")
	return &subject{
		waits: p.Waits,
		own: func(ctx context.Context, query string) (*profile.Profile, error) {
			name, parameters, _ := strings.Cut(query, "?")
			values, err := url.ParseQuery(parameters)
			if err != nil {
				return nil, err
			}
			flat := map[string]string{}
			for key := range values {
				flat[key] = values.Get(key)
			}
			data, err := r.Client.CoreV1().Pods(r.Namespace).ProxyGet(scheme, p.Name, port, "debug/pprof/"+name, flat).DoRaw(ctx)
			if err != nil {
				return nil, err
			}
			return profile.ParseData(data)
		},
		take: func(ctx context.Context, d time.Duration, types ...string) (map[string]*profile.Profile, error) {
			return r.take(ctx, p, d, types)
		},
	}
}

// take takes profiles of several types with the plugin.
func (r *Runner) take(ctx context.Context, p Program, d time.Duration, types []string, flags ...string) (map[string]*profile.Profile, error) {
	dir, err := os.MkdirTemp("", "realprograms-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := command(ctx, "", r.Plugin, append([]string{"--ephemeral", "-n", r.Namespace, p.Name, "-c", ServerContainer,
		"--type", strings.Join(types, ","), "-d", fmt.Sprint(d), "-o", filepath.Join(dir, "p.pb.gz")}, flags...)...); err != nil {
		return nil, err
	}
	all := map[string]*profile.Profile{}
	for _, t := range types {
		name := "p.pb.gz"
		if len(types) > 1 {
			name = "p-" + t + ".pb.gz"
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if all[t], err = profile.ParseData(data); err != nil {
			return nil, err
		}
	}
	return all, nil
}
