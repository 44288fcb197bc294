// narrow is built for 386: it works and has allocated memory.
package main

var sink uint64

//go:noinline
func leaf(n uint64) (s uint64) {
	for i := uint64(0); i < n; i++ {
		s += i * i
	}
	return s
}

func main() {
	for {
		sink += leaf(20_000_000)
	}
}
