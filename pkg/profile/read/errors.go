package read

import "errors"

// errCutOff is wrapped by the errors for files that end too early.
var errCutOff = errors.New("the file is cut off")

var errNotPprof = errors.New("this is not a pprof file, or a damaged one")
