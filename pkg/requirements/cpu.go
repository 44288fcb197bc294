package requirements

import "time"

// CPU is the smallest CPU limit of a pod, in thousandths of a CPU, within which an ephemeral
// profiler starts in a few seconds. With 20 of them, a profile of 5 s took 50 s.
const CPU = 100

// StartTime is the CPU time that starting the profiler takes, half of it the kernel's for checking
// the BPF programs.
const StartTime = 500 * time.Millisecond
