package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/session"
)

// Exit codes. The help text lists them.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitPartial     = 3
	exitWarning     = 3   // only doctor
	exitInterrupted = 130 // 128 + SIGINT, as in shells
)

var (
	errInterrupted = errors.New("interrupted: nothing was written")
	errLeftChanged = errors.New("the target was left changed")
	errPartial     = errors.New("the profile is partial")
	errWarnings    = errors.New("there are warnings: some ways of profiling may not work")
	errFailed      = errors.New("no profile can be taken: see the failed checks")
)

// usageError is a mistake in the arguments.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func exitCode(err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, new(usageError)):
		return exitUsage
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.Is(err, errPartial), errors.Is(err, session.ErrMissing):
		return exitPartial
	case errors.Is(err, errWarnings):
		return exitWarning
	}
	return exitError
}

// explainValue words the error of a flag that takes a list of numbers. pflag does so for other
// flags, but here it passes on an error that names a function of strconv.
func explainValue(err error) error {
	value := new(pflag.InvalidValueError)
	if !errors.As(err, &value) || !errors.As(err, new(*strconv.NumError)) {
		return err
	}
	return fmt.Errorf("invalid argument %q for \"--%s\" flag: must be integers, separated by commas", value.GetValue(), value.GetFlag().Name)
}

// interrupted returns errInterrupted if that is why a step under the context failed.
func interrupted(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errInterrupted) {
		return errInterrupted
	}
	return err
}

// explain returns the text of an error for the terminal. Errors already say what failed, and on which
// object; this adds what client-go leaves out.
func explain(err error) string {
	var address *url.Error
	var network net.Error
	switch {
	case errors.Is(err, errInterrupted):
		return errInterrupted.Error()
	case apierrors.IsUnauthorized(err):
		return fmt.Sprintf("the API server does not accept your credentials (%v): log in again or choose another --context", err)
	case apierrors.IsForbidden(err):
		return fmt.Sprintf("%v (`kubectl pprof rbac` prints the permissions needed)", err)
	case errors.As(err, &address):
		host := address.URL
		if u, parseErr := url.Parse(address.URL); parseErr == nil {
			host = u.Scheme + "://" + u.Host
		}
		if strings.Contains(address.Err.Error(), "getting credentials") {
			return fmt.Sprintf("cannot log in to the API server %s: %v", host, address.Err)
		}
		if errors.As(err, &network) && network.Timeout() || errors.Is(err, context.DeadlineExceeded) {
			return fmt.Sprintf("the API server %s does not answer: check the network, --context and --server", host)
		}
		return fmt.Sprintf("cannot reach the API server %s: %v: check the network, --context and --server", host, address.Err)
	}
	return strings.TrimSpace(err.Error())
}
