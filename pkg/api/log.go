package api

// Kinds of the blocks in the log of a profiler that cannot be asked (package logs). A log has slices and progress
// while sampling goes on, and ends with the profile or the error.
const (
	LogProgress = "progress" // a Progress as JSON
	LogSlice    = "slice"    // a profile, as /slice gives it
	LogProfile  = "profile"  // the whole, unless a comment says that it is partial
	LogError    = "error"    // an Error as JSON
)
