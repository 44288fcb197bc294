package symbol

import "github.com/google/pprof/profile"

// functionTable has the functions that were added to a profile, so that equal ones have one entry.
type functionTable struct {
	profile *profile.Profile
	known   map[functionKey]*profile.Function
}

type functionKey struct {
	system, file string
	start        int
}

func newFunctionTable(p *profile.Profile) *functionTable {
	return &functionTable{p, map[functionKey]*profile.Function{}}
}

// get returns the function of a frame. It adds it to the profile the first time.
func (t *functionTable) get(f frame) *profile.Function {
	key := functionKey{f.system, f.file, f.start}
	if fn := t.known[key]; fn != nil {
		return fn
	}
	fn := &profile.Function{
		ID: uint64(len(t.profile.Function) + 1), Name: clean(f.name), SystemName: clean(f.system), Filename: clean(f.file),
		StartLine: int64(f.start),
	}
	t.known[key] = fn
	t.profile.Function = append(t.profile.Function, fn)
	return fn
}
