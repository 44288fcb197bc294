// Package requirements holds what the profiler needs of a node. The plugin checks it before it starts a profiler, and the
// profiler checks it again. The package depends on nothing else of this module.
package requirements

// Memory is the memory, in bytes, that must be free within the pod's limit for an ephemeral profiler to start. A profile
// of a large program took 26 MB of user memory and 4 MB of kernel memory.
const Memory = 32 << 20

// MaxFrequency is the highest sampling frequency, in samples per second and CPU.
const MaxFrequency = 1000
