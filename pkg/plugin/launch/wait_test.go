package launch

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func TestContainerState(t *testing.T) {
	const container = "kubectl-pprof-abcde"
	status := func(s corev1.ContainerState) corev1.PodStatus {
		return corev1.PodStatus{EphemeralContainerStatuses: []corev1.ContainerStatus{{Name: "other"}, {Name: container, State: s}}}
	}
	waiting := func(reason, message string) corev1.PodStatus {
		return status(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}})
	}
	for name, c := range map[string]struct {
		status    corev1.PodStatus
		seen, err string
		done      bool
	}{
		"no status": {seen: `node "node-1" has not taken notice of it`},
		"creating":  {status: waiting("ContainerCreating", ""), seen: "ContainerCreating"},
		"image cannot be pulled": {
			status: waiting("ErrImagePull", "rpc error:\n not found"),
			err:    "cannot start: ErrImagePull: rpc error: not found",
		},
		"container cannot be created": {
			status: waiting("CreateContainerError", "no space left"),
			err:    "cannot start: CreateContainerError: no space left",
		},
		"running": {status: status(corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}), done: true},
		"ended": {
			status: status(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", Message: "no BTF\n"}}),
			err:    "ended with exit code 1 (Error): no BTF",
		},
		"killed for memory": {
			status: status(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled", Message: "ready"}}),
			err:    "was killed, for the pod's memory limit was reached (OOMKilled): use --job, whose memory is its own",
		},
		"killed": {
			status: status(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "Error", Message: "ready"}}),
			err:    "was killed (exit code 137, Error)",
		},
		"rejected by the node": {
			status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "OutOfpods", Message: "too many pods"},
			err:    "the pod has ended: OutOfpods too many pods",
		},
	} {
		t.Run(name, func(t *testing.T) {
			done, seen, err := containerState(&corev1.Pod{Status: c.status}, container, "node-1")
			text := ""
			if err != nil {
				text = err.Error()
			}
			if done != c.done || seen != c.seen || text != c.err {
				t.Errorf("got %v, %q, %q", done, seen, text)
			}
		})
	}
}

func TestContainerWarning(t *testing.T) {
	event := func(container, message string) corev1.Event {
		return corev1.Event{Message: message, InvolvedObject: corev1.ObjectReference{FieldPath: "spec.ephemeralContainers{" + container + "}"}}
	}
	for name, c := range map[string]struct {
		events []corev1.Event
		want   string
	}{
		"none":              {nil, ""},
		"of another":        {[]corev1.Event{event("other", "Failed to pull")}, ""},
		"of the pod":        {[]corev1.Event{{Message: "MissingClusterDNS"}}, ""},
		"both":              {[]corev1.Event{event("mine", "Error: ErrImagePull"), event("mine", "Failed to pull:\nnot found")}, "ErrImagePull: Failed to pull: not found"},
		"the words, so far": {[]corev1.Event{event("mine", "Failed to pull")}, ""},
		"the error alone":   {[]corev1.Event{event("mine", "Error: no space left")}, "no space left"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := containerWarning(c.events, "mine"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestPollTellsWhatItSaw(t *testing.T) {
	ctx, cancel := withTimeout(t.Context(), Options{Timeout: 20 * time.Millisecond})
	defer cancel()
	err := poll(ctx, nil, func(context.Context) (bool, string, error) { return false, "pulling", nil })
	if want := "not running after 20ms (--timeout): pulling"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	broken := errors.New("broken")
	if err := poll(t.Context(), nil, func(context.Context) (bool, string, error) { return false, "", broken }); err != broken {
		t.Errorf("got %v, want %v", err, broken)
	}
}
