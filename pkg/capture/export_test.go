package capture

// For the tests of package capture_test.
var (
	NeedRoot      = needRoot
	NewCgroup     = newCgroup
	NewThreadWall = newThreadWall
)
