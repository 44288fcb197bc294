package render

import (
	"image"
	imagecolor "image/color"
	"image/draw"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonoitalic"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// titleSize is the font size of the title in pixels at scale 1. Other text has fontSize.
const titleSize = 17.0

// canvas is an image that is being drawn. Coordinates and sizes are in pixels at scale 1.
type canvas struct {
	image               *image.RGBA
	scale               float64
	plain, slant, large font.Face
}

func newCanvas(width, height, scale float64) (*canvas, error) {
	c := &canvas{scale: scale, image: image.NewRGBA(image.Rect(0, 0, int(width*scale), int(height*scale)))}
	for _, f := range []struct {
		face *font.Face
		ttf  []byte
		size float64
	}{{&c.plain, gomono.TTF, fontSize}, {&c.slant, gomonoitalic.TTF, fontSize}, {&c.large, gomono.TTF, titleSize}} {
		parsed, err := opentype.Parse(f.ttf)
		if err != nil {
			return nil, err
		}
		// At 72 dots an inch a point is a pixel.
		if *f.face, err = opentype.NewFace(parsed, &opentype.FaceOptions{Size: f.size * scale, DPI: 72, Hinting: font.HintingFull}); err != nil {
			return nil, err
		}
	}
	draw.Draw(c.image, c.image.Rect, image.White, image.Point{}, draw.Src)
	return c, nil
}

func (c *canvas) close() {
	c.plain.Close()
	c.slant.Close()
	c.large.Close()
}

// text writes a line with its baseline at y. Characters that the font lacks, such as East Asian ones, become boxes.
func (c *canvas) text(x, y float64, s string, ink imagecolor.RGBA) { c.write(c.plain, x, y, s, ink) }

func (c *canvas) title(x, y float64, s string, ink imagecolor.RGBA) { c.write(c.large, x, y, s, ink) }

func (c *canvas) write(face font.Face, x, y float64, s string, ink imagecolor.RGBA) {
	d := font.Drawer{
		Dst: c.image, Src: image.NewUniform(ink), Face: face,
		Dot: fixed.Point26_6{X: fixed.Int26_6(x * c.scale * 64), Y: fixed.Int26_6(y * c.scale * 64)},
	}
	d.DrawString(s)
}
