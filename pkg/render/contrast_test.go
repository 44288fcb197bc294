package render

import (
	"fmt"
	"math"
	"testing"
)

// luminance is a colour's relative luminance, as WCAG 2.1 defines it.
func luminance(t *testing.T, color string) float64 {
	t.Helper()
	var channels [3]int
	if _, err := fmt.Sscanf(color, "#%02x%02x%02x", &channels[0], &channels[1], &channels[2]); err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		c := float64(channels[i]) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
