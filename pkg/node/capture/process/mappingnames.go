//go:build linux

package process

// Names of mappings without a file, as perf and google/pprof use them.
const (
	KernelMapping    = "[kernel.kallsyms]"
	AnonymousMapping = "[anon]"     // JIT-compiled code
	NoMapping        = "[unmapped]" // code in none of the mappings that were read
)
