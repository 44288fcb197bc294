package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/google/pprof/profile"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/read"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// side is one of the two profiles of a comparison: a file's, or a pod's that is to be taken.
type side struct {
	name string
	pod  *Options // nil for a file
}

// side tells which of the two an argument is. What looks like a file that is not there is one: its name would be no pod's
// that anybody meant.
func (c *comparison) side(arg string) (side, error) {
	s := side{name: arg}
	if arg == "-" {
		return s, nil
	}
	if info, err := os.Stat(arg); err == nil && !info.IsDir() {
		return s, nil
	}
	if _, known := render.FormatOf(arg); known {
		return s, nil
	}
	if _, _, err := target.ParseName(arg); err != nil {
		return s, fmt.Errorf("%s is neither a file nor a pod: %w", arg, err)
	}
	one := *c.Options
	one.outputs, one.format = nil, ""
	s.pod = &one
	if err := one.Complete([]string{arg}); err != nil {
		return s, err
	}
	if len(one.requests) != 1 {
		return s, fmt.Errorf("--type names %d types; a comparison is of one", len(one.requests))
	}
	one.hint = "; there is no file of this name either"
	return s, one.Validate()
}

// profiles gives those of both sides. Files are read first, for their mistakes show at once; pods are profiled at the same
// time. finish, to be called in any case, ends their sessions.
func (c *comparison) profiles(ctx, early context.Context) (profiles []*profile.Profile, finish func() error, err error) {
	profiles = make([]*profile.Profile, len(c.sides))
	takes := make([]*taken, len(c.sides))
	finish = func() (err error) {
		for _, t := range takes {
			if t != nil {
				err = errors.Join(err, t.finish())
			}
		}
		return err
	}
	pods := 0
	for i, s := range c.sides {
		if s.pod != nil {
			pods++
		} else if profiles[i], err = read.File(s.name, c.In); err != nil {
			return nil, finish, err
		}
	}
	var config *rest.Config
	var clients target.Clients
	if pods > 0 {
		if config, clients, err = c.connect(); err != nil {
			return nil, finish, err
		}
	}
	if err := openFiles(c.files, c.Out); err != nil {
		return nil, finish, err
	}

	// One that fails ends the other, as Ctrl-C does, which leaves nothing behind: half a comparison is none.
	early, stop := context.WithCancel(early)
	defer stop()
	var wg sync.WaitGroup
	var once sync.Once
	for i, s := range c.sides {
		if s.pod == nil {
			continue
		}
		s.pod.query.Namespace = c.query.Namespace
		wg.Go(func() {
			ui := newProgress(c.ErrOut, c.quiet, c.verbose)
			if pods > 1 {
				ui.live, ui.prefix = false, s.name+": "
			}
			defer ui.clear()
			t, one, failed := s.pod.capture(ctx, early, ui, config, clients)
			takes[i] = one
			if failed != nil {
				once.Do(func() { err = failed })
				stop()
				return
			}
			profiles[i] = one.parts[0].profile
			ui.note("%s: %s", t, one.parts[0].extent())
			if !c.quiet {
				tellRemains(c.ErrOut, one.session)
			}
		})
	}
	wg.Wait()
	return profiles, finish, interrupted(ctx, err)
}

// completeSides offers pods and workloads as well as files.
func (c *comparison) completeSides(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 1 {
		return nil, noFiles
	}
	words, directive := c.completeArgs(cmd, nil, word)
	return words, directive &^ noFiles
}
