//! Sets words and lines on a blank page.

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};
use image::{Rgb, RgbImage};

/// A page under the press.
pub(super) struct Press {
    pub(super) page: RgbImage,
    faces: [FontRef<'static>; 4],
    ink: [f32; 3],
}

/// Which of the fonts to take.
#[derive(Debug, Clone, Copy)]
pub(super) enum Face {
    Serif,
    SerifBold,
    Sans,
    SansBold,
}

/// How text is set: the font and its height in pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) face: Face,
    pub(super) height: f32,
}

/// A column of the page: its left edge and its width in pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) left: f32,
    pub(super) width: f32,
}

/// Lines are this many font heights apart.
const LINE_SPACING: f32 = 1.32;

impl Press {
    /// A blank page of the paper's colour.
    pub(super) fn load(width: u32, height: u32, paper: [u8; 3], ink: [f32; 3]) -> Self {
        let faces = [
            dejavu::serif::regular(),
            dejavu::serif::bold(),
            dejavu::sans::regular(),
            dejavu::sans::bold(),
        ];
        Self {
            page: RgbImage::from_pixel(width, height, Rgb(paper)),
            faces: faces.map(embedded),
            ink,
        }
    }

    /// Sets one line with its top left at the place; words are spread over `spread` more pixels.
    pub(super) fn set_line(&mut self, words: &str, left: f32, top: f32, style: Style, spread: f32) {
        let gaps = words.matches(' ').count().max(1) as f32;
        let mut glyphs = Vec::with_capacity(words.len());
        self.advance(words, style, |mut glyph, letter, caret, ascent, spaces| {
            if letter != ' ' {
                let shift = spread * spaces as f32 / gaps;
                glyph.position = point(left + caret + shift, top + ascent);
                glyphs.push(glyph);
            }
        });
        for glyph in glyphs {
            self.press(style.face, glyph);
        }
    }

    /// The width of the words in pixels when set in one line.
    pub(super) fn measure(&self, words: &str, style: Style) -> f32 {
        self.advance(words, style, |_, _, _, _, _| {})
    }

    /// Sets a paragraph with even margins and returns where the next block may begin.
    pub(super) fn set_paragraph(
        &mut self,
        text: &str,
        column: Column,
        top: f32,
        style: Style,
    ) -> f32 {
        let lines = self.broken(text, column.width, style);
        let last = lines.len().saturating_sub(1);
        let mut next = top;
        for (index, line) in lines.iter().enumerate() {
            let spread = match index {
                index if index == last => 0.0,
                _ => column.width - self.measure(line, style),
            };
            self.set_line(line, column.left, next, style, spread);
            next += style.height * LINE_SPACING;
        }
        next
    }

    /// Inks a rectangle; `strength` 1 is full ink.
    pub(super) fn fill(&mut self, left: f32, top: f32, width: f32, height: f32, strength: f32) {
        let (right, bottom) = ((left + width) as u32, (top + height) as u32);
        for y in top as u32..bottom.min(self.page.height()) {
            for x in left as u32..right.min(self.page.width()) {
                self.ink_pixel(x, y, strength);
            }
        }
    }

    /// Draws the outline of a box.
    pub(super) fn frame(&mut self, left: f32, top: f32, width: f32, height: f32, line: f32) {
        self.fill(left, top, width, line, 0.9);
        self.fill(left, top + height - line, width, line, 0.9);
        self.fill(left, top, line, height, 0.9);
        self.fill(left + width - line, top, line, height, 0.9);
    }

    /// Breaks text into lines that fit the width.
    fn broken(&self, text: &str, width: f32, style: Style) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = String::new();
        for word in text.split(' ') {
            let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if !line.is_empty() && self.measure(&longer, style) > width {
                lines.push(std::mem::replace(&mut line, word.to_owned()));
            } else {
                line = longer;
            }
        }
        lines.push(line);
        lines
    }

    /// Walks over the letters and tells each one's place; returns the width of them all.
    fn advance(
        &self,
        words: &str,
        style: Style,
        mut each: impl FnMut(Glyph, char, f32, f32, usize),
    ) -> f32 {
        let font = self.faces[style.face as usize].as_scaled(PxScale::from(style.height));
        let (mut caret, mut spaces) = (0.0, 0);
        let mut previous = None;
        for letter in words.chars() {
            let glyph = font.scaled_glyph(letter);
            let id = glyph.id;
            caret += previous.map_or(0.0, |before| font.kern(before, id));
            each(glyph, letter, caret, font.ascent(), spaces);
            caret += font.h_advance(id);
            spaces += usize::from(letter == ' ');
            previous = Some(id);
        }
        caret
    }

    fn press(&mut self, face: Face, glyph: Glyph) {
        let Some(outline) = self.faces[face as usize].outline_glyph(glyph) else { return };
        let bounds = outline.px_bounds();
        outline.draw(|x, y, coverage| {
            let (x, y) = (x as i32 + bounds.min.x as i32, y as i32 + bounds.min.y as i32);
            if let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) {
                self.ink_pixel(x, y, coverage);
            }
        });
    }

    fn ink_pixel(&mut self, x: u32, y: u32, strength: f32) {
        let Some(pixel) = self.page.get_pixel_mut_checked(x, y) else { return };
        for (channel, ink) in pixel.0.iter_mut().zip(self.ink) {
            let paper = f32::from(*channel);
            *channel = (paper + (ink - paper) * strength.clamp(0.0, 1.0)) as u8;
        }
    }
}

/// The fonts are part of the binary, so that reading one can only fail in a broken build.
fn embedded(bytes: &'static [u8]) -> FontRef<'static> {
    FontRef::try_from_slice(bytes).expect("the embedded font is readable")
}
