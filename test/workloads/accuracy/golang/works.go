package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// plain uses common packages of the standard library.
func plain() {
	text := strings.Repeat("the quick brown fox jumps over the lazy dog ", 50)
	words := strings.Fields(text)
	slices.Sort(words)
	encoded, _ := json.Marshal(words)
	var decoded []string
	_ = json.Unmarshal(encoded, &decoded)
	sink.Add(int64(len(pattern.FindAllString(text, -1)) + len(decoded)))
	sink.Add(int64(matrix(40)))
}

var pattern = regexp.MustCompile(`[a-z]+o[a-z]*`)

//go:noinline
func matrix(n int) (trace float64) {
	a, b := make([]float64, n*n), make([]float64, n*n)
	for i := range a {
		a[i], b[i] = float64(i%7), float64(i%5)
	}
	for i := range n {
		for j := range n {
			cell := 0.0
			for k := range n {
				cell += a[i*n+k] * b[k*n+j]
			}
			if i == j {
				trace += cell
			}
		}
	}
	return trace
}

// recursion has stacks with 600 frames.
func recursion() { sink.Add(int64(descend(600))) }

//go:noinline
func descend(depth int) int {
	if depth == 0 {
		n := 0
		for i := range 200 {
			n += leafEven(i) + leafOdd(i)
		}
		return n
	}
	return ascend(depth-1) + 1
}

//go:noinline
func ascend(depth int) int {
	if depth == 0 {
		return descend(0)
	}
	return descend(depth-1) + 2
}

//go:noinline
func leafEven(n int) int {
	for i := range 1000 {
		n += i & n
	}
	return n
}

//go:noinline
func leafOdd(n int) int {
	for i := range 500 {
		n ^= i * n
	}
	return n
}

// number is the constraint of the generic functions. Go compiles them once for each shape of type.
type number interface{ ~int | ~int32 | ~float64 }

type pair[A, B any] struct {
	first  A
	second B
}

func generics() {
	sink.Add(int64(reduce(fill[int](3000)) + int(reduce(fill[int32](3000))) + int(reduce(fill[float64](3000)))))
	pairs := zip(fill[int](2000), fill[float64](2000))
	slices.SortFunc(pairs, func(a, b pair[int, float64]) int { return a.first%17 - b.first%17 })
	sink.Add(int64(pairs[0].first))
}

//go:noinline
func fill[T number](n int) []T {
	all := make([]T, n)
	for i := range all {
		all[i] = T(i) * T(i%13)
	}
	return all
}

//go:noinline
func reduce[T number](all []T) (sum T) {
	for range 20 {
		for _, v := range all {
			sum += scale(v)
		}
	}
	return sum
}

func scale[T number](v T) T { return v*v + 1 }

//go:noinline
func zip[A, B any](a []A, b []B) []pair[A, B] {
	var all []pair[A, B]
	for i := range a {
		all = append(all, pair[A, B]{a[i], b[i]})
	}
	return all
}

// inlining has most of its code inlined, several levels deep.
func inlining() {
	n := 0
	for i := range 20_000 {
		n += outer(i)
	}
	sink.Add(int64(n))
}

func outer(n int) int {
	if n%3 == 0 {
		return middle(n) + 1
	}
	return middle(n+1) ^ inner(n)
}

func middle(n int) int { return inner(n) + inner(n*7)&15 }

func inner(n int) int {
	for i := 0; i < 8; i++ {
		n = mix(n, i)
	}
	return n
}

func mix(a, b int) int { return (a<<3 ^ b) + a>>5 }

// cryptography spends its time in assembly, some of which uses the frame pointer's register for
// other values.
func cryptography() {
	data := make([]byte, 16<<10)
	a, b, c := sha256.Sum256(data), sha512.Sum512(data), sha1.Sum(data)
	signature, err := ecdsa.SignASN1(rand.Reader, key, a[:])
	if err == nil {
		sink.Add(int64(len(signature)) + int64(b[0]) + int64(c[0]))
	}
	seal(data)
}

var key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
