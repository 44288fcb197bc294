package read

import (
	"regexp"
	"strings"
)

// perfFrame is a line of a stack: address, symbol with offset, object file. The address or the file may be missing.
//
//	ffffffff821ef691 do_syscall_64+0x71 ([kernel.kallsyms])
type perfFrame struct {
	addressed  bool   // has an address
	kernel     bool   // the address is in the upper half, which is the kernel's
	name, file string // "" if unknown
}

var (
	// perfLastField matches a line with fields that perf prints behind the stack: instruction, branches, registers, the size of
	// a page, an address and the cgroup.
	perfLastField = regexp.MustCompile(`^\s*(?:insn: |ilen: |ABI:\d|\S+/\S+/[PMN-]/|(?:[\d.]+[KMGT]?|N/A)(?:\s|$)|[0-9a-f]+(?:\s|$)|/\S*\s*$|IPC: )`)

	// perfCutFrame matches an offset and a file name without its end, as in the last line of a file that was cut off.
	perfCutFrame = regexp.MustCompile(`\+0x[0-9a-f]+ \([^)]*$`)

	// perfOffset matches an offset in the object file (-F +dsoff).
	perfOffset = regexp.MustCompile(`\+0x[0-9a-f]+$`)

	// perfSource matches a source line as `-F +srcline` prints it below a frame.
	perfSource = regexp.MustCompile(`^  \S.*(?::(?:\d+|\?)(?: \(discriminator \d+\))?|\[[0-9a-f]+\])$`)

	// javaChain matches the object files in which names are those of a JIT, which may be chains of inlined calls.
	javaChain = regexp.MustCompile(`perf-\d+\.map(?: \(deleted\))?$|^\[JIT|^\[unknown\]$`)
)

// parseFrame parses a line of a stack. With strict it has to have both an address and an object file, because the line may
// be other text.
func parseFrame(line string, strict bool) (f perfFrame, ok bool) {
	text := strings.TrimSpace(line)
	if n := addressLength(text); n > 0 {
		f.addressed, f.kernel = true, n == 16 && strings.HasPrefix(text, "ffff")
		text = strings.TrimLeft(text[n:], " \t")
	}
	open := fileStart(text)
	if open >= 0 {
		f.file = text[open+1 : len(text)-1]
		text = strings.TrimSpace(text[:open])
		if strings.Contains(f.file, offsetMark) {
			f.file = perfOffset.ReplaceAllString(f.file, "")
		}
	}
	if strict {
		ok = f.addressed && f.file != ""
	} else {
		ok = f.addressed && strings.HasPrefix(line, "\t") || f.addressed && f.file != "" ||
			strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "  ") && text != ""
	}
	f.name = text
	if cut := perfCutFrame.FindStringIndex(text); cut != nil && f.file == "" {
		f.name = text[:cut[0]]
	} else if at := strings.LastIndex(text, offsetMark); at >= 0 && hexDigits(text[at+len(offsetMark):]) == len(text)-at-len(offsetMark) {
		f.name = text[:at]
	}
	if f.name == "[unknown]" {
		f.name = ""
	}
	return f, ok
}

// offsetMark is between the name of a function and the offset in it.
const offsetMark = "+0x"

// hexDigits returns the number of hexadecimal digits at the beginning of a text.
func hexDigits(text string) int {
	n := 0
	for n < len(text) && (text[n] >= '0' && text[n] <= '9' || text[n] >= 'a' && text[n] <= 'f') {
		n++
	}
	return n
}

// addressLength returns the length of the address at the beginning of a frame, or 0.
func addressLength(text string) int {
	if n := hexDigits(text); n == len(text) || text[n] == ' ' || text[n] == '\t' {
		return n
	}
	return 0
}

// isSource reports whether a line below a frame is its source line, as with `-F +srcline`, or source code, as with +srccode.
func isSource(line string) bool {
	return line[0] == '|' || strings.HasPrefix(line, "  ") && perfSource.MatchString(line)
}

// fileStart returns where the parenthesis before the object file is, which ends the line, or -1. Names of C++ functions and
// paths may both contain parentheses.
func fileStart(text string) int {
	if !strings.HasSuffix(text, ")") {
		return -1
	}
	if at := strings.Index(text, offsetMark); at >= 0 {
		end := at + len(offsetMark)
		if end += hexDigits(text[end:]); strings.HasPrefix(text[end:], " (") {
			return end + 1
		}
	}
	depth := 0
	for i := len(text) - 1; i >= 0; i-- {
		switch text[i] {
		case ')':
			depth++
		case '(':
			depth--
		}
		if depth == 0 {
			if i == 0 || text[i-1] == ' ' {
				return i
			}
			break
		}
	}
	if i := strings.LastIndex(text, " (/"); i >= 0 {
		return i + 1
	}
	return -1
}

// functions returns the names of the functions at a frame, inlined ones first. perf-map-agent for Java (unfoldall) writes
// "Lorg/acme/A;::f->Lorg/acme/B;::g" for g, inlined into f.
func (f perfFrame) functions() []string {
	if f.name == "" {
		return nil
	}
	if !strings.Contains(f.name, "->") || strings.ContainsAny(f.name, " ") || strings.Contains(f.name, "operator->") || !javaChain.MatchString(f.file) {
		return []string{javaName(f.name)}
	}
	calls := strings.Split(f.name, "->")
	names := make([]string, 0, len(calls))
	for i := len(calls) - 1; i >= 0; i-- {
		if calls[i] != "" {
			names = append(names, javaName(calls[i]))
		}
	}
	return names
}

// javaName returns "org/acme/A::f" for "Lorg/acme/A;::f", and other names unchanged.
func javaName(name string) string {
	class, method, ok := strings.Cut(name, ";::")
	if !ok || !strings.HasPrefix(class, "L") {
		return name
	}
	return class[1:] + "::" + method
}

// mapping returns the name of the mapping of a frame, or "".
func (f perfFrame) mapping() string {
	switch unknown := f.file == "" || f.file == "[unknown]"; {
	case unknown && f.kernel:
		return kernelFile
	case unknown:
		return ""
	}
	return f.file
}
