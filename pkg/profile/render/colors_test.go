package render

import (
	"math"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/test/colors"
)

// Black text is readable on every colour (WCAG 2.1, 1.4.3: a contrast of 4.5), and frames differ from the paper.
func TestContrast(t *testing.T) {
	for k, all := range palette {
		for _, c := range all {
			if text, paper := colors.Contrast(c, "#000000"), colors.Contrast(c, "#ffffff"); text < 4.5 || paper < 1.15 {
				t.Errorf("%s, %s: contrast %.1f to text, %.2f to paper", kindLook[k].word, c, text, paper)
			}
		}
	}
}

// All shades of any two kinds differ by several times the just noticeable difference, for all kinds of colour vision.
func TestColorsForTheColorBlind(t *testing.T) {
	const least = 9
	for name, vision := range colors.Visions {
		for a := range kindProcess {
			for b := range a {
				nearest := math.Inf(1)
				for _, one := range palette[a] {
					for _, other := range palette[b] {
						nearest = min(nearest, colors.Distance(one, other, vision))
					}
				}
				if nearest < least {
					t.Errorf("%s: %s and %s differ by %.1f, want %d", name, kindLook[a].word, kindLook[b].word, nearest, least)
				}
			}
		}
	}
}
