package render

import (
	"fmt"
	"hash/fnv"
	"math"
)

// color gives a frame its colour: the hue says what kind of code it is, the name varies the
// lightness a little so that neighbours can be told apart. The same name always has the same colour.
func color(f frame) string {
	h := fnv.New32a()
	h.Write([]byte(f.name))
	look := kindLook[f.kind]
	shade := (float64(h.Sum32()%64)/63 - 0.5) * 0.10
	return hex(look.hue, look.saturation, look.lightness+shade)
}

// hex converts a colour from HSL (CSS Color Module Level 3, section 4.2.4) to "#rrggbb".
func hex(hue, saturation, lightness float64) string {
	channel := func(n float64) int {
		k := math.Mod(n+hue/30, 12)
		v := lightness - saturation*min(lightness, 1-lightness)*max(-1, min(k-3, 9-k, 1))
		return int(math.Round(255 * v))
	}
	return fmt.Sprintf("#%02x%02x%02x", channel(0), channel(8), channel(4))
}
