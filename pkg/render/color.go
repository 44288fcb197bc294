package render

import (
	"fmt"
	"hash/fnv"
	"math"
)

// shades is how many lightnesses a kind's colour has.
const shades = 8

// color gives a frame its colour: the hue says what kind of code it is, the name varies the
// lightness a little so that neighbours can be told apart. The same name always has the same colour.
func color(f frame) string { return palette[f.kind][shade(f.name)] }

// shade is a hash that the script computes as well: FNV-1a of 32 bits over the name's UTF-8.
func shade(name string) int {
	h := fnv.New32a()
	h.Write([]byte(name))
	return int(h.Sum32() % shades)
}

// palette has the colours of each kind.
var palette = func() (all [kinds][shades]string) {
	for k, look := range kindLook {
		for i := range shades {
			all[k][i] = hex(look.hue, look.saturation, look.lightness+(float64(i)/(shades-1)-0.5)*0.10)
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
