// Command maze walks through eight functions at random, sixty calls deep. No two of its stacks are
// equal, so its profile is as large as a profile of a few seconds can be.
package main

import "math/rand/v2"

const depth = 60

// rooms are the functions of the maze. main sets them, because they refer to each other.
var rooms [8]func(path uint64, left int) uint64

func main() {
	rooms = [8]func(uint64, int) uint64{north, south, east, west, up, down, left, right}
	for {
		rooms[0](rand.Uint64(), depth)
	}
}

// walk calls the function that the path's lowest bits select. At the end of the path it stays busy
// for a while.
func walk(path uint64, left int) uint64 {
	if left == 0 {
		for range 1_000_000 {
			path = path*6364136223846793005 + 1442695040888963407
		}
		return path
	}
	path = path*6364136223846793005 + 1442695040888963407
	return rooms[path>>61](path, left-1) + 1
}

//go:noinline
func north(path uint64, left int) uint64 { return walk(path, left) + 1 }

//go:noinline
func south(path uint64, left int) uint64 { return walk(path, left) + 2 }

//go:noinline
func east(path uint64, left int) uint64 { return walk(path, left) + 3 }

//go:noinline
func west(path uint64, left int) uint64 { return walk(path, left) + 4 }

//go:noinline
func up(path uint64, left int) uint64 { return walk(path, left) + 5 }

//go:noinline
func down(path uint64, left int) uint64 { return walk(path, left) + 6 }

//go:noinline
func left(path uint64, left int) uint64 { return walk(path, left) + 7 }

//go:noinline
func right(path uint64, left int) uint64 { return walk(path, left) + 8 }
