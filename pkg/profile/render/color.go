package render

import (
	"fmt"
	"hash/fnv"
	"math"
)

// Colours of changes, for pkg/profile/diff and the script. Red and blue are from ColorBrewer's diverging RdBu (colorbrewer2.org). They
// and the yellow can be distinguished with the common kinds of colour blindness. Text on them is black.
var (
	MoreColor = [3]int{0xef, 0x8a, 0x62} // doubled; lesser changes are paler
	LessColor = [3]int{0x67, 0xa9, 0xcf}
)

const (
	NewColor     = "#f6d746"
	SameColor    = "#e4e4e4"
	SmallerColor = smallerColor
)

// shades is the number of lightnesses of each kind's colour. Dependencies also have tints, chosen by module.
const (
	shades = 8
	tints  = 4
)

// tint is a change of hue and lightness for each tint.
var tint = [tints]struct{ hue, lightness float64 }{{0, 0}, {-6, -0.11}, {8, 0.06}, {12, -0.09}}

// color returns the colour of a frame as "#rrggbb". The hue shows the kind of code; the name varies the lightness a little, so that
// neighbours can be distinguished. The same name always has the same colour.
func color(f frame) string {
	at := shade(f.name, shades)
	if f.kind == kindDependency {
		at += shades * shade(module(f.name), tints)
	}
	return palette[f.kind][at]
}

// legendColor returns the colour of a kind in the legend.
func legendColor(k kind) string { return palette[k][shades/2] }

// shade returns a hash of a text, below of: 32-bit FNV-1a over UTF-8. The script computes the same.
func shade(text string, of uint32) int {
	h := fnv.New32a()
	h.Write([]byte(text))
	return int(h.Sum32() % of)
}

// palette holds the colours of each kind.
var palette = func() (all [kinds][]string) {
	for k, look := range kindLook {
		n, spread := 1, 0.08
		if kind(k) == kindDependency {
			n, spread = tints, 0.06
		}
		for _, t := range tint[:n] {
			for i := range shades {
				all[k] = append(all[k], hex(look.hue+t.hue, look.saturation, look.lightness+t.lightness+(float64(i)/(shades-1)-0.5)*spread))
			}
		}
	}
	return all
}()

// hex converts a colour from HSL (CSS Color Module Level 3, section 4.2.4) to "#rrggbb".
func hex(hue, saturation, lightness float64) string {
	channel := func(n float64) int {
		k := math.Mod(n+hue/30, 12)
		v := lightness - saturation*min(lightness, 1-lightness)*max(-1, min(k-3, 9-k, 1))
		return int(math.Round(255 * v))
	}
	return fmt.Sprintf("#%02x%02x%02x", channel(0), channel(8), channel(4))
}
