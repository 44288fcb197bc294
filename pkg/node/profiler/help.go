//go:build linux

package profiler

const longHelp = `Profile a container from outside with eBPF.

The kubectl plugin kubectl-pprof starts this program and talks to it. Without the plugin, "record"
takes a profile within a plain kubectl debug.`

const recordHelp = `Profile the container that shares its processes with this one and write the result to stdout.

kubectl may lose the end of the output: compare the file's length and SHA-256 (wc -c, sha256sum)
with those printed on stderr.`

const recordExamples = `  # Write a flame graph to a file
  kubectl debug -q --attach web-1 --image=IMAGE --target=app --profile=sysadmin \
    -- /profiler record --duration 10s --format svg > app.svg

  # Print a table of the hottest functions on the terminal
  kubectl debug -q -it web-1 --image=IMAGE --target=app --profile=sysadmin \
    -- /profiler record --duration 10s

  # Profile a pod that sets runAsUser or runAsNonRoot, which the debug container would inherit
  cat > root.yaml <<END
  securityContext:
    runAsUser: 0
    runAsNonRoot: false
  END
  kubectl debug -q --attach web-1 --image=IMAGE --target=app --profile=sysadmin --custom=root.yaml \
    -- /profiler record --duration 10s --format svg > app.svg`
