//go:build linux

package capture

// For the tests of package capture_test.
var (
	NewCgroup     = newCgroup
	NewThreadWall = newThreadWall
	UntilUsed     = untilUsed
	WaitFor       = waitFor
)

const WaitLimit = waitLimit
