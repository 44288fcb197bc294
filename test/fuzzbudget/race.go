//go:build race

package fuzzbudget

const race = true
