//go:build linux

package process

// Names of mappings that have no file, as perf and google/pprof know them.
const (
	KernelMapping    = "[kernel.kallsyms]"
	AnonymousMapping = "[anon]" // code made at run time
)
