//go:build linux

// Package kernels boots real kernels in qemu and runs the profiler's BPF programs on them. What the
// verifier accepts and what helpers return differs between kernels, and only a kernel itself can
// show it. It needs no KVM.
package kernels

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// kernels are the oldest supported kernel and those of current long-term distributions.
var kernels = []struct {
	series, arch, arguments string
}{
	{"5.10", "amd64", ""},
	{"6.1", "amd64", ""},
	{"6.1", "amd64", "lockdown=confidentiality"}, // the default of Talos Linux
	{"6.12", "amd64", ""},
	{"6.12", "amd64", "lockdown=confidentiality"},
	{"5.10", "arm64", ""},
	{"6.1", "arm64", ""}, // the unwinder has a loop of the kernel's, see useLoop
}

func TestMain(m *testing.M) {
	if os.Getenv("PPROF_TEST_ALL") == "" {
		fmt.Println("left out: the profiler on other kernels; `make test` boots them")
		return
	}
	os.Exit(m.Run())
}

func TestKernels(t *testing.T) {
	install(t, hostPackages)
	initramfs := map[string]string{}
	for _, k := range kernels {
		if initramfs[k.arch] == "" {
			initramfs[k.arch] = buildInitramfs(t, k.arch)
		}
	}
	for _, k := range kernels {
		t.Run(strings.TrimSpace(k.series+" "+k.arch+" "+k.arguments), func(t *testing.T) {
			r := boot(t, k.arch, fetchKernel(t, k.series, k.arch), initramfs[k.arch], k.arguments)
			t.Logf("Linux %s: %d samples, %d lost, %d stacks", r.Kernel, r.Samples, r.Lost, len(r.Stacks))
			if r.Error != "" {
				t.Fatal(r.Error)
			}
			if !strings.HasPrefix(r.Kernel, k.series+".") {
				t.Errorf("booted Linux %s, wanted %s", r.Kernel, k.series)
			}
			// 5.10 is older than the lock, and the others have the fix; lockdown hides the machine code.
			if got := r.UserReads; got != "false" && !strings.Contains(k.arguments, "lockdown") {
				t.Errorf("reading user memory can freeze the kernel: %s", got)
			}
			expectStacks(t, r)
			if r.Held>>20 != 64 {
				t.Errorf("the heap profile has %d bytes of main.hold, want 64 MiB", r.Held)
			}
			expectGoroutines(t, r)
			expectWaits(t, r)
			expectFaults(t, r)
			if r.ForbiddenSamples == 0 || !strings.Contains(r.ForbiddenHeap, "kernel.yama.ptrace_scope=3") {
				t.Errorf("with kernel.yama.ptrace_scope=3: %d samples of cpu, error of heap %q", r.ForbiddenSamples, r.ForbiddenHeap)
			}
		})
	}
}

// expectStacks checks that all programs were sampled with their callers, that the program outside
// the cgroup was not, and that PIDs are those of the programs' own PID namespaces.
func expectStacks(t *testing.T, r result) {
	t.Helper()
	for _, chain := range []string{
		"main.hotGo,main.callerGo,", "main.step,main.hotGo,main.callerGo,", ",request=slow,", // labels
		"runtime.newstack,main.grow,main.grow,",         // crosses from the thread's stack to the goroutine's
		"hot_c,caller_c,main,",                          // frame pointers
		"burn,link1,link2,link3,link4,link5,deep,main,", // unwind tables
		"burn,compare,",                                 // through the C library
		"burn,link1,link2,handler,",                     // in a signal handler
		",interrupted,by_signal,main,",                  // and the code that the signal interrupted
		"burn,burn_for_asm,undescribed,[broken stack],", // code without frame pointers and unwind tables
	} {
		n := int64(0)
		for stack, count := range r.Stacks {
			if strings.Contains(stack, chain) {
				n += count
			}
		}
		if n < 5 {
			t.Errorf("%d samples have the frames %s in %v", n, chain, r.Stacks)
		}
	}
	total, bad := int64(0), int64(0)
	for stack, count := range r.Stacks {
		total += count
		if strings.Contains(stack, "[broken stack]") && !strings.Contains(stack, ",undescribed,") {
			bad += count
			t.Logf("%d times broken: %s", count, stack)
		}
	}
	// On a busy machine, many samples come before the unwind tables have been loaded.
	if float64(bad-r.BrokenAtStart) > max(2, 0.01*float64(total)) {
		t.Errorf("%d of %d stacks are broken, %d of them before their tables were loaded", bad, total, r.BrokenAtStart)
	}
	for stack := range r.Stacks {
		if strings.Contains(stack, "main.outsider") {
			t.Errorf("a process outside of the cgroup was sampled: %s", stack)
		}
	}
	if len(r.PIDs) != 1 || r.PIDs[0] != 1 {
		t.Errorf("PIDs %v, want only 1: each program is the first of its PID namespace", r.PIDs)
	}
}

// expectGoroutines checks that some readings of each kind have the goroutine that always runs, with
// its stack and label, and all waiting goroutines. The guest reads until there are enough.
func expectGoroutines(t *testing.T, r result) {
	t.Helper()
	for _, c := range []struct {
		how, frames string
		least       int64
	}{
		{"free running ", "main.hotGo,main.callerGo,", 3}, {"free running ", ",request=slow,", 3}, {"free waiting ", "runtime.chanrecv1,main.growStacks,", 1},
		{"frozen running ", "main.hotGo,main.callerGo,", 4}, {"frozen running ", ",request=slow,", 4},
		{"wall ", "main.hotGo,main.callerGo,", 1}, {"wall ", "main.growStacks,", 1}, // an emulated CPU has time for few readings only
		{"wall ", "burn,link1,link2,link3,link4,link5,deep,main,", 10}, // of a program that is not Go
	} {
		n := int64(0)
		for stack, count := range r.Goroutines {
			if strings.HasPrefix(stack, c.how) && strings.Contains(stack, c.frames) {
				n += count
			}
		}
		if n < c.least {
			t.Errorf("%d goroutines %swith %s, want %d; %v", n, c.how, c.frames, c.least, r.Goroutines)
		}
	}
}

// expectWaits checks the waits of threads that sleep all the time, that wait for a lock two thirds
// of the time, and that sleep at two places with the same registers.
func expectWaits(t *testing.T, r result) {
	t.Helper()
	whole := r.Waits["all"]
	sum := func(begin, frames string) (seconds float64) {
		for key, s := range r.Waits {
			if strings.HasPrefix(key, begin) && strings.Contains(key, frames) {
				seconds += s
			}
		}
		return seconds
	}
	for _, c := range []struct {
		begin, frames string
		least, most   float64 // shares of the whole; everything takes longer on an emulated CPU
	}{
		{"sleeper sleeping ", ",sleep_for_ever,sleeper,", 0.97, 1.01},
		{"waits sleeping ", ",main,", 0.97, 1.01},
		{"wanter ", ",want,wanter,", 0.3, 0.75},
		{"wanter ", "", 0.85, 1.01},
		{"napper ", ",rest,nap_long,napper,", 0.4, 0.85},
		{"napper ", ",rest,nap_short,napper,", 0.1, 0.45},
		{"holder ", ",rest,holder,", 0.65, 1.01},
	} {
		if got := sum(c.begin, c.frames); whole < 2.5 || got < c.least*whole || got > c.most*whole {
			t.Errorf("%s with %q waits %.3f s of %.3f; %v", c.begin, c.frames, got, whole, r.Waits)
		}
	}
	for key := range r.Waits {
		if strings.Contains(key, "[broken stack]") || strings.Contains(key, "outsider") {
			t.Errorf("waits at %s", key)
		}
	}
}

// expectFaults checks the faults of 400 pages touched on one path and three times as many on
// another, in each of two threads. One event stands for 8 faults.
func expectFaults(t *testing.T, r result) {
	t.Helper()
	for frames, want := range map[string]int64{"touch,touch_one,fresh,grow,": 800, "touch,touch_three,fresh,grow,": 2400} {
		got := int64(0)
		for stack, n := range r.Faults {
			if strings.HasPrefix(stack, frames) {
				got += n
			}
		}
		if got < want*8/10 || got > want*12/10 {
			t.Errorf("%d faults in %s, want %d; %v", got, frames, want, r.Faults)
		}
	}
}
