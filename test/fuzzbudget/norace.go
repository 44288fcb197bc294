//go:build !race

package fuzzbudget

const race = false
