package capture

// NewTestCgroup makes a cgroup with a container's name; it is for the tests of package capture_test.
var NewTestCgroup = newCgroup
