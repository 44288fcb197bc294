package gopclntab

import "testing"

// After reading more pc-value tables than any real program needs, Lookup no longer reads them:
// functions keep their names.
func TestWalkedBytesAreLimited(t *testing.T) {
	table, _ := openFile(t, build(t, "local", "-ldflags=-s -w"))
	entry := findFunction(t, table, "main.outer")
	before, err := table.Lookup(entry)
	if err != nil || before[len(before)-1].Line == 0 {
		t.Fatalf("got %+v, %v", before, err)
	}
	if table.walked == 0 {
		t.Error("walking was not counted")
	}
	table.walked = maxWalked
	after, err := table.Lookup(entry)
	if err != nil || len(after) != 1 || after[0].Name != "main.outer" || after[0].Line != 0 {
		t.Errorf("got %+v, %v, want main.outer without a line", after, err)
	}
}

// Searches end after the limit on the bytes of all searches.
func TestSearchedBytesAreLimited(t *testing.T) {
	table, _ := openFile(t, build(t, "local", "-ldflags=-s -w"))
	if table.image.unread == maxScan {
		t.Error("searching was not counted")
	}
	table.image.unread = 4096
	visits := 0
	whole := part{table.base, 1 << 40}
	whole.search(table.image, make([]byte, 8), func(uint64) bool { visits++; return true })
	if table.image.unread != 0 || visits > 4096/8 {
		t.Errorf("%d bytes may still be searched, %d visits", table.image.unread, visits)
	}
	whole.search(table.image, make([]byte, 8), func(uint64) bool { t.Fatal("visited"); return false })
}
