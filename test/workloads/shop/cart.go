package main

import (
	"fmt"
	"slices"
	"strings"
)

type item struct {
	sku   int
	price float64
	score uint32
}

//go:noinline
func fillCart(session int) []item {
	cart := make([]item, 900)
	for i := range cart {
		cart[i] = item{sku: session*31 + i, price: float64(i%97) + 0.99}
	}
	return cart
}

// priceCart is meant to be the hottest function: it computes rebates that depend on each other.
//
//go:noinline
func priceCart(cart []item) float64 {
	total := 0.0
	for round := 0; round < 160; round++ {
		for i := range cart {
			total += cart[i].price / (1 + float64(round)*0.01)
			if total > 1e6 {
				total /= 3
			}
		}
	}
	return total
}

// signSession hashes in a loop (FNV-1a), like a simple token scheme.
//
//go:noinline
func signSession(session int) uint32 {
	h := uint32(2166136261)
	for i := 0; i < 180_000; i++ {
		h ^= uint32(session + i)
		h *= 16777619
	}
	return h
}

//go:noinline
func rankOffers(cart []item) []item {
	for i := range cart {
		cart[i].score = uint32(cart[i].sku) * 2654435761
	}
	slices.SortFunc(cart, byScore)
	return cart[:10]
}

func byScore(a, b item) int { return int(a.score>>8) - int(b.score>>8) }

//go:noinline
func renderPage(offers []item, total float64, token uint32) string {
	var b strings.Builder
	for _, o := range offers {
		fmt.Fprintf(&b, "<li>%d: %.2f</li>\n", o.sku, o.price)
	}
	fmt.Fprintf(&b, "<p>total %.2f, token %08x</p>\n", total, token)
	return b.String()
}
