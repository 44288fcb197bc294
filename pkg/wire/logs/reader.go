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

// Read calls got for each block that stands whole in the log, in their order, until the log ends. Lines that are not
// of a block are passed over, and so are blocks of which something is missing or changed. The error is the log's or
// got's; the end of the log is none.
func Read(log io.Reader, got func(Block) error) error {
	in := bufio.NewReaderSize(log, maxLine)
	var current assembly
	for {
		line, err := in.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		for errors.Is(err, bufio.ErrBufferFull) { // nobody's line of ours
			_, err = in.ReadSlice('\n')
		}
		if errors.Is(err, io.EOF) { // what has no line break was cut off
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

// assembly is the block of which the last lines were.
type assembly struct {
	Block
	lines, next int // how many, and the one that is to come; 0 if none is expected
	size        int
	digest      string
}

// add takes a line, and returns the block that it completes.
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

// begin takes a block's first line.
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

// follow takes a further line of the block, and reports whether it was the one to come.
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
