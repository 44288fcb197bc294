package logs

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"strings"
)

// Read calls got with each complete block in the log, in order, until the log ends. It skips lines that do not belong to a block,
// and blocks with missing or changed lines. It returns an error of the log, other than io.EOF, or of got.
func Read(log io.Reader, got func(Block) error) error {
	in := bufio.NewReaderSize(log, maxLine)
	var current assembly
	for {
		line, err := in.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		for errors.Is(err, bufio.ErrBufferFull) { // not a line of a block
			_, err = in.ReadSlice('\n')
		}
		if errors.Is(err, io.EOF) { // a last line without a line break was cut off
			return nil
		}
		if err != nil {
			return err
		}
		if long {
			continue
		}
		if b := current.add(string(bytes.TrimRight(line, "\r\n"))); b != nil {
			if err := got(*b); err != nil {
				return err
			}
		}
	}
}

// assembly is the block whose lines are being read.
type assembly struct {
	Block
	lines, next int // the number of lines, and the index of the next; 0 if there is no block
	size        int
	digest      string
}

// add processes a line and returns the block that it completes, or nil.
func (a *assembly) add(line string) *Block {
	rest, ok := strings.CutPrefix(line, prefix)
	if !ok {
		return nil
	}
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return nil
	}
	number, err := strconv.Atoi(fields[0])
	at, of, _ := strings.Cut(fields[1], "/")
	index, indexErr := strconv.Atoi(at)
	lines, linesErr := strconv.Atoi(of)
	if err != nil || indexErr != nil || linesErr != nil {
		return nil
	}
	if index == 0 {
		a.begin(number, lines, fields[2:])
	} else if !a.follow(number, index, lines, fields[2:]) {
		*a = assembly{}
		return nil
	}
	if a.Number == 0 || a.next <= a.lines {
		return nil
	}
	done := *a
	*a = assembly{}
	if sum := sha256.Sum256(done.Data); len(done.Data) != done.size || hex.EncodeToString(sum[:]) != done.digest {
		return nil
	}
	return &done.Block
}

// begin starts a block with its first line.
func (a *assembly) begin(number, lines int, fields []string) {
	*a = assembly{}
	if len(fields) != 3 || number < 1 {
		return
	}
	size, err := strconv.Atoi(fields[1])
	if err != nil || size < 0 || size > maxBlock || lines != (size+perLine-1)/perLine {
		return
	}
	*a = assembly{Block: Block{Number: number, Kind: fields[0]}, lines: lines, next: 1, size: size, digest: fields[2]}
}

// follow adds another line to the block and reports whether it is the next one.
func (a *assembly) follow(number, index, lines int, fields []string) bool {
	if a.Number == 0 || number != a.Number || lines != a.lines || index != a.next || len(fields) != 1 {
		return false
	}
	part, err := base64.StdEncoding.DecodeString(fields[0])
	if err != nil || len(a.Data)+len(part) > a.size {
		return false
	}
	a.Data = append(a.Data, part...)
	a.next++
	return true
}
