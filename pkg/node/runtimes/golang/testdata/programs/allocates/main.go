// allocates holds memory and waits.
package main

var keep [][]byte

//go:noinline
func allocate(n int) { keep = append(keep, make([]byte, n)) }

func main() {
	for i := 0; i < 1000; i++ {
		allocate(i * 10)
	}
	c := make(chan int)
	go func() { c <- 1 }()
	println(len(keep), <-c)
}
