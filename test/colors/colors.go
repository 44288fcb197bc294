// Package colors measures for tests whether text is readable on a colour and whether people with
// common kinds of colour blindness can distinguish two colours.
package colors

import (
	"fmt"
	"math"
)

// Visions are matrices on linear RGB that simulate normal colour vision and vision without one kind
// of cone: Machado, Oliveira, Fernandes, "A Physiologically-based Model for Simulation of Color
// Vision Deficiency", 2009, severity 1.
var Visions = map[string][3][3]float64{
	"all cones":    {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"tritanopia":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
}

// linear returns the channels of a colour, written "#rrggbb", in linear RGB. It returns black for
// anything else.
func linear(color string) (c [3]float64) {
	var rgb [3]int
	fmt.Sscanf(color, "#%02x%02x%02x", &rgb[0], &rgb[1], &rgb[2])
	for i, v := range rgb {
		if c[i] = float64(v) / 255; c[i] <= 0.04045 {
			c[i] /= 12.92
		} else {
			c[i] = math.Pow((c[i]+0.055)/1.055, 2.4)
		}
	}
	return c
}

// Contrast returns the contrast ratio of two colours, from 1 to 21, as WCAG 2.1 defines it.
func Contrast(a, b string) float64 {
	luminance := func(color string) float64 {
		c := linear(color)
		return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2]
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// lab returns a colour, as seen with the given vision, in CIE L*a*b* (D65).
func lab(color string, vision [3][3]float64) (c [3]float64) {
	linear := linear(color)
	var seen [3]float64
	for i, row := range vision {
		seen[i] = min(max(row[0]*linear[0]+row[1]*linear[1]+row[2]*linear[2], 0), 1)
	}
	f := func(r, g, b, white float64) float64 {
		v := (r*seen[0] + g*seen[1] + b*seen[2]) / white
		if v > 216.0/24389 {
			return math.Cbrt(v)
		}
		return (24389.0/27*v + 16) / 116
	}
	x, y, z := f(0.4124564, 0.3575761, 0.1804375, 0.95047), f(0.2126729, 0.7151522, 0.0721750, 1), f(0.0193339, 0.1191920, 0.9503041, 1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// Distance returns how different two colours are with the given vision (CIE76); 2.3 is just
// noticeable side by side.
func Distance(one, other string, vision [3][3]float64) float64 {
	a, b := lab(one, vision), lab(other, vision)
	return math.Sqrt((a[0]-b[0])*(a[0]-b[0]) + (a[1]-b[1])*(a[1]-b[1]) + (a[2]-b[2])*(a[2]-b[2]))
}
