//go:build linux

package profiler

const longHelp = `Profile a container from outside, by eBPF.

The kubectl plugin kubectl-pprof starts this program and talks to it. Without the plugin, "record"
makes a profile in a plain kubectl debug.`

const recordHelp = `Profile the container whose processes are seen here and write the result to stdout.

kubectl may lose the end of what it passes on: compare the file's length and SHA-256 (wc -c,
sha256sum) with those that are printed on stderr.`

const recordExamples = `  # A flame graph
  kubectl debug -q --attach web-1 --image=IMAGE --target=app --profile=sysadmin \
    -- /profiler record --duration 10s --format svg > app.svg

  # A table of the hottest functions, on a terminal
  kubectl debug -q -it web-1 --image=IMAGE --target=app --profile=sysadmin \
    -- /profiler record --duration 10s

  # The same where the pod sets runAsUser or runAsNonRoot, which the debug container inherits
  cat > root.yaml <<END
  securityContext:
    runAsUser: 0
    runAsNonRoot: false
  END
  kubectl debug -q --attach web-1 --image=IMAGE --target=app --profile=sysadmin --custom=root.yaml \
    -- /profiler record --duration 10s --format svg > app.svg`
