package meta

// What was profiled.
var (
	Type      = text("type")      // profile type: cpu, heap, …
	Pod       = text("pod")       // namespace/name
	Container = text("container") // its name; its ID where the profiler runs without Kubernetes
	Node      = text("node")
	Image     = text("image")
	Endpoint  = text("endpoint") // the target's own net/http/pprof, where the profile comes from that
	Event     = text("event")    // perf's name of the event that was sampled
	GoProgram = text("go program")
)

// How complete a profile is.
var (
	// Partial is the reason why a profile is not whole.
	Partial = text("partial")
	// Restart is how the target ended before it started again. The profile has a gap there.
	Restart = text("restart")
	// Filter is the part of another profile that this one is, as command line flags.
	Filter = text("filter")
	// ChosenValues is the type of the values that the user chose to see.
	ChosenValues = text("values")

	Samples     = count("samples")
	LostSamples = count("lost samples")
	LostWaits   = waits("lost waits")
)

// How samples were taken.
var (
	Frequency = number("frequency", " Hz")
	By        = text("by")    // ByThread or ByGoroutine
	TimeStep  = step("times") // set if it is coarser than usual
	Kernel    = text("kernel")
	Memory    = text("memory") // what a page fault stands for

	MemProfileRate       = number("memory profile rate", " bytes")
	MutexProfileFraction = text("mutex profile fraction")
	BlockProfileRate     = text("block profile rate")
	AllocationsSince     = instant("allocations since")
	MemProfileEnabled    = text("memory profile turned on by kubectl pprof") // in which process, and when
	FrozenProcess        = text("stopped")                                   // for how long, while its goroutines were read
	GoroutineReadings    = text("readings of all goroutines")                // their number and the mean time of one
)

// Values of By.
const (
	ByThread    = "thread"    // samples have the label Thread
	ByGoroutine = "goroutine" // each goroutine is a sample
)

// What went wrong, and what to do.
var (
	// Advice is what the user can do for better stacks.
	Advice = text("advice")
	// LeftOut is what is missing, such as a process that could not be read, and why.
	LeftOut = text("left out")
	// LeftChanged is what could not be put back in the target.
	LeftChanged = text("left changed")
	// FileNote is what a reader of files could not use or had to decide, such as the number of lines it left out. Commands
	// print it when they read the file.
	FileNote = text("note")
	// MissingEnd is a process for which only what came in slices is known, and why.
	MissingEnd = text("not read at the end")

	TruncatedStacks          = count("truncated stacks")
	BrokenStacks             = count("broken stacks")
	BrokenStacksAtStart      = count("broken stacks of programs that had just started")
	SamplesWithCutLabels     = count("samples with more goroutine labels than are read")
	SamplesWithLostLabels    = count("samples whose goroutine labels were lost")
	ProcessesWithCutMappings = count("processes with more mappings than are read")
	ProcessesEndedUnread     = count("processes that ended before they could be read")
	ProcessesNotGo           = count("processes that are not Go programs")
	RecordsChangedOnRead     = count("records that changed while they were read")
	UnreadSleepers           = count("threads that slept from the beginning and could not be read")
	UntrackedSwitches        = count("switches of threads without room in the table")
	UnwindTables             = text("unwind tables") // their size
	ObjectsWithoutTables     = count("objects without room for their unwind tables")
	ProcessesWithoutTables   = count("processes without room for their unwind tables")

	GoroutineReadsRepeated   = count("goroutines that changed while they were read and were read again")
	GoroutineReadingsCut     = count("readings of a program's goroutines that took too long and ended early")
	GoroutinesLeaked         = count("leaked goroutines, as the program's last search for leaks found them")
	GoroutinesNeverStable    = count("goroutines that changed with every reading")
	GoroutineListInvalid     = count("invalid entries in the runtime's list of goroutines")
	GoroutinesWithCutLabels  = count("goroutines with more labels than are read")
	GoroutinesNotApart       = count("goroutines beyond the number that are listed one by one")
	RunningGoroutines        = text("running goroutines") // with and without their stacks
	RunningWithoutStacks     = count("running goroutines without their stacks")
	RunningGoroutinesRefused = text("stacks of running goroutines") // why there are none

	// OtherThreads holds a comment about the threads of programs that are not Go, in a profile of both.
	OtherThreads = text("threads of other programs")

	KernelSymbols = text("kernel symbols") // why there are none
	Symbols       = text("symbols")        // which are missing, and why
)

// Comparisons of two profiles.
var (
	DifferenceOf = text("difference of") // the type of the values that are compared
	Before       = text("before")        // total of the side
	After        = text("after")
	SampleQuanta = quanta("one sample stands for")
	Compared     = text("compared") // AsShares, or not set
	Difference   = text("difference")
)

// AsShares is the value of Compared if values are compared as shares of their profile.
const AsShares = "as shares"
