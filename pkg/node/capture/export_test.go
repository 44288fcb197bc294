//go:build linux

package capture

// For the tests of package capture_test.
var (
	CPUTime       = cpuTime
	NewCgroup     = newCgroup
	NewThreadWall = newThreadWall
)
