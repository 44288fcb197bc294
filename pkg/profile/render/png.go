package render

import (
	"bufio"
	"fmt"
	"image"
	imagecolor "image/color"
	"image/draw"
	"image/png"
	"io"
	"math"

	"github.com/google/pprof/profile"
)

// PNGOptions are the size of a picture. Zero values mean the defaults.
type PNGOptions struct {
	Width int     // in pixels at scale 1, from MinPNGWidth to MaxPNGWidth
	Scale float64 // pixels in the file per pixel of the width, from MinPNGScale to MaxPNGScale; text scales too
}

// The bounds keep a picture below 8,000 by 14,000 pixels, which common programs can open.
const (
	DefaultPNGWidth, MinPNGWidth, MaxPNGWidth = 1200, 300, 4000
	DefaultPNGScale, MinPNGScale, MaxPNGScale = 2.0, 0.5, 4.0
	maxPNGSide                                = 8000 // width with scale
	pngRows                                   = 200
)

// Measures of the picture in pixels at scale 1.
const (
	pngMargin = 10.0
	pngHead   = 92.0
	pngRow    = 17.0
	pngFoot   = 26.0
)

// Validate returns an error for sizes out of bounds.
func (o PNGOptions) Validate() error {
	_, err := o.complete()
	return err
}

// complete sets defaults and checks the bounds.
func (o PNGOptions) complete() (PNGOptions, error) {
	if o.Width == 0 {
		o.Width = DefaultPNGWidth
	}
	if o.Scale == 0 {
		o.Scale = min(DefaultPNGScale, maxPNGSide/float64(o.Width))
	}
	switch {
	case o.Width < MinPNGWidth || o.Width > MaxPNGWidth:
		return o, fmt.Errorf("the width of a picture must be from %d to %d pixels, not %d", MinPNGWidth, MaxPNGWidth, o.Width)
	case !(o.Scale >= MinPNGScale && o.Scale <= MaxPNGScale):
		return o, fmt.Errorf("the scale of a picture must be from %g to %g, not %g", MinPNGScale, MaxPNGScale, o.Scale)
	case float64(o.Width)*o.Scale > maxPNGSide:
		return o, fmt.Errorf("a picture of %d pixels at scale %g would be wider than %d pixels", o.Width, o.Scale, maxPNGSide)
	}
	return o, nil
}

func writeDefaultPNG(w io.Writer, p *profile.Profile) error { return WritePNG(w, p, PNGOptions{}) }

// WritePNG draws a flame graph: the root at the bottom, siblings in the order of their names.
func WritePNG(w io.Writer, p *profile.Profile, o PNGOptions) error {
	o, err := o.complete()
	if err != nil {
		return err
	}
	root := newTree(p)
	width := float64(o.Width) - 2*pngMargin
	rows, deeper := layoutBlocks(root, width, 1/o.Scale, pngRows)
	height := pngHead + float64(max(len(rows), 3))*pngRow + pngFoot
	c, err := newCanvas(float64(o.Width), height, o.Scale)
	if err != nil {
		return err
	}
	defer c.close()
	c.head(p)
	if root.total == 0 {
		c.text(pngMargin, pngHead+30, fitLine(EmptyReason(p), width, fontSize), ink)
	}
	for i, row := range rows {
		for _, b := range row {
			c.block(b, height-pngFoot-float64(i+1)*pngRow)
		}
	}
	note := "Width is the share of " + printable(p.SampleType[valueIndex(p)].Type) + "; callers below, callees above; siblings by name; inlined calls are slanted."
	if deeper {
		note = fmt.Sprintf("Frames deeper than %d are not drawn. ", pngRows) + note
	}
	c.text(pngMargin, height-10, fitLine(note, width, fontSize), faint)
	out := bufio.NewWriter(w)
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(out, c.image); err != nil {
		return err
	}
	return out.Flush()
}

var (
	ink   = imagecolor.RGBA{0, 0, 0, 255}
	faint = imagecolor.RGBA{0x44, 0x44, 0x44, 255}
	grey  = imagecolor.RGBA{0xe4, 0xe4, 0xe4, 255} // for frames too narrow to be drawn
)

func (c *canvas) head(p *profile.Profile) {
	width := float64(c.image.Rect.Dx())/c.scale - 2*pngMargin
	c.title(pngMargin, 24, fitLine(title(p), width, titleSize), ink)
	for i, line := range subtitles(p) {
		c.text(pngMargin, 42+16*float64(i), fitLine(line, width, fontSize), faint)
	}
	x := pngMargin
	for k := range kindProcess {
		c.fill(x, 68, 12, 12, fill(legendColor(k)))
		c.text(x+16, 78, kindLook[k].word, ink)
		x += 16 + float64(len(kindLook[k].word)+2)*CharWidth
	}
}

func (c *canvas) block(b block, y float64) {
	background := grey
	if b.node != nil {
		background = fill(color(b.frame))
	}
	gap := min(0.5, b.width/4) // separates neighbours
	c.fill(pngMargin+b.x, y, b.width-gap, pngRow-1, background)
	label, face := FitSmaller(b.smaller, b.width), c.plain
	if b.node != nil {
		label = fit(b.name, b.width)
		if b.inlined {
			face = c.slant
		}
	}
	if label != "" {
		c.write(face, pngMargin+b.x+3, y+12, label, ink)
	}
}

func fill(color string) imagecolor.RGBA {
	c := rgb(color)
	return imagecolor.RGBA{c[0], c[1], c[2], 255}
}

// fill paints a rectangle, at least one pixel wide.
func (c *canvas) fill(x, y, width, height float64, with imagecolor.RGBA) {
	at := func(v float64) int { return int(math.Round(v * c.scale)) }
	r := image.Rect(at(x), at(y), max(at(x+width), at(x)+1), at(y+height))
	draw.Draw(c.image, r, image.NewUniform(with), image.Point{}, draw.Src)
}
