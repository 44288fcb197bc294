// Package bpf holds the BPF programs, in C, and what bpf2go made of them: the compiled objects and
// the Go types of their maps. Its entry points are the generated Load functions; it decides nothing.
//
// `make generate` compiles them again; a test in package capture proves that the committed objects
// are those of the C sources beside them.
package bpf

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -cflags "-O2 -g -Wall -Werror -mcpu=v3" -target amd64,arm64 -type sample -type walk_end -type record_kind -type label_record -type wait_total_record -type wait_state -type stack_capacity -type go_layout -type address_mark -type unwind_rule -type unwind_block -type unwind_range -type unwind_process -type cfa_kind -type saved_kind CPU cpu.bpf.c
//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -cflags "-O2 -g -Wall -Werror -mcpu=v3" -target amd64,arm64 -type task_record Tasks tasks.bpf.c
//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -cflags "-O2 -g -Wall -Werror -mcpu=v3" -target amd64,arm64 -type thread -type place_kind -type control -type cpu_state -type sleeper Waits waits.bpf.c
