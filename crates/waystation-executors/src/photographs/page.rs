//! Composes a page: a letter, a report, a list or a form.

use fastrand::Rng;
use image::RgbImage;

use super::text::{self, Deck};
use super::typesetting::{Column, Face, Press, Style};
use super::{between, pick, smooth_step};

const WIDTH: u32 = 1000;
const HEIGHT: u32 = 1414;
/// Nothing but the page number is set below this line.
const BOTTOM: f32 = 1270.0;
const RULE: f32 = 2.0;

/// The parts that a page is composed of.
#[derive(Debug, Clone, Copy)]
enum Block {
    Paragraph,
    Heading,
    Table,
    List,
    Box,
    Form,
}

/// Which parts follow the title, over and over until the page is full.
const ORDERS: [&[Block]; 5] = [
    &[Block::Paragraph, Block::Paragraph, Block::Heading, Block::Paragraph, Block::List],
    &[Block::Paragraph, Block::Table, Block::Paragraph, Block::Box, Block::Paragraph],
    &[Block::Heading, Block::Paragraph, Block::Heading, Block::List, Block::Paragraph],
    &[Block::Box, Block::Form, Block::Table, Block::Paragraph],
    &[Block::Paragraph, Block::Paragraph, Block::Paragraph, Block::Table],
];

/// A page in progress: what is set so far, and where the next part begins.
struct Composition<'a> {
    press: Press,
    random: &'a mut Rng,
    column: Column,
    body: Style,
    bold: Face,
    top: f32,
    sentences: Deck,
    items: Deck,
    headings: Deck,
}

/// Prints a page as it comes from the press, flat and evenly lit.
pub(super) fn typeset(random: &mut Rng) -> RgbImage {
    let white = random.u8(228..246);
    let paper =
        [white, white.saturating_sub(random.u8(0..4)), white.saturating_sub(random.u8(2..12))];
    let ink = pick(random, &[[28.0, 28.0, 32.0], [40.0, 38.0, 40.0], [24.0, 30.0, 62.0]]);
    let margin = between(random, 84.0, 120.0);
    let faces = [(Face::Serif, Face::SerifBold), (Face::Sans, Face::SansBold)];
    let (face, bold) = pick(random, &faces);
    let mut composition = Composition {
        press: Press::load(WIDTH, HEIGHT, paper, ink),
        column: Column { left: margin, width: WIDTH as f32 - 2.0 * margin },
        body: Style { face, height: between(random, 23.0, 28.0) },
        bold,
        top: between(random, 84.0, 120.0),
        sentences: Deck::of_sentences(random),
        items: Deck::of_items(random),
        headings: Deck::of_headings(random),
        random,
    };
    composition.set_title();
    let order = pick(composition.random, &ORDERS);
    for block in order.iter().cycle().take(24) {
        if !composition.set(*block) {
            break;
        }
    }
    composition.set_page_number();
    let mut page = composition.press.page;
    if random.bool() {
        fold(&mut page, random);
    }
    page
}

/// Folds the page as for an envelope and opens it again: each crease has a bright and a dark
/// flank.
fn fold(page: &mut RgbImage, random: &mut Rng) {
    let creases: &[f32] = if random.bool() { &[0.5] } else { &[1.0 / 3.0, 2.0 / 3.0] };
    let height = page.height() as f32;
    for crease in creases {
        let depth = between(random, -0.035, 0.035);
        for (y, row) in page.rows_mut().enumerate() {
            let distance = (y as f32 - crease * height) / 60.0;
            let flank = distance.signum() * (1.0 - smooth_step(0.0, 1.0, distance.abs()));
            let shade = 1.0 + depth * flank;
            for channel in row.flat_map(|pixel| pixel.0.iter_mut()) {
                *channel = (f32::from(*channel) * shade).min(255.0) as u8;
            }
        }
    }
}

impl Composition<'_> {
    /// Sets one part; false when there is no room left for another one.
    fn set(&mut self, block: Block) -> bool {
        match block {
            Block::Paragraph => self.set_paragraph(),
            Block::Heading => self.set_heading(),
            Block::Table => self.set_table(),
            Block::List => self.set_list(),
            Block::Box => self.set_box(),
            Block::Form => self.set_form(),
        }
    }

    fn set_title(&mut self) {
        let title = pick(self.random, &text::TITLES);
        let style = Style { face: self.bold, height: 44.0 };
        let Column { left, width } = self.column;
        let free = (width - self.press.measure(title, style)).max(0.0);
        let indent = if self.random.bool() { free / 2.0 } else { 0.0 };
        self.press.set_line(title, left + indent, self.top, style, 0.0);
        self.top += 62.0;
        let date = text::date(self.random);
        self.press.set_line(&date, left + indent, self.top, self.small(), 0.0);
        self.top += 40.0;
        if self.random.bool() {
            self.press.fill(left, self.top, width, 3.0, 0.85);
        }
        self.top += 26.0;
    }

    fn set_page_number(&mut self) {
        let number = format!("Page {}", self.random.u32(1..60));
        let width = self.press.measure(&number, self.small());
        let left = (WIDTH as f32 - width) / 2.0;
        self.press.set_line(&number, left, HEIGHT as f32 - 90.0, self.small(), 0.0);
    }

    fn set_paragraph(&mut self) -> bool {
        // A long paragraph must still end above the page number.
        let lines_left = (BOTTOM - self.top) / (self.body.height * 1.32);
        if lines_left < 5.0 {
            return false;
        }
        let sentences = self.random.usize(3..6).min((lines_left / 2.2) as usize).max(2);
        let words = self.sentences.paragraph(sentences);
        let next = self.press.set_paragraph(&words, self.column, self.top, self.body);
        self.top = next + self.body.height * 0.7;
        true
    }

    fn set_heading(&mut self) -> bool {
        if self.top > BOTTOM - 200.0 {
            return false;
        }
        let heading = self.headings.draw();
        let style = Style { face: self.bold, height: self.body.height * 1.2 };
        self.press.set_line(heading, self.column.left, self.top + 8.0, style, 0.0);
        self.top += style.height * 1.32 + 16.0;
        true
    }

    fn set_list(&mut self) -> bool {
        let room = ((BOTTOM - self.top) / (self.body.height * 1.5)) as usize;
        if room < 3 {
            return false;
        }
        let count = self.random.usize(3..7).min(room);
        for number in 1..=count {
            let item = self.items.draw();
            let place = pick(self.random, &text::PLACES);
            let line = format!("{number}.  {item}, kept in: {place}");
            self.press.set_line(&line, self.column.left + 30.0, self.top, self.body, 0.0);
            self.top += self.body.height * 1.42;
        }
        self.top += self.body.height * 0.6;
        true
    }

    fn set_table(&mut self) -> bool {
        let row_height = self.body.height * 1.7;
        let room = ((BOTTOM - self.top) / row_height) as usize;
        if room < 4 {
            return false;
        }
        let rows = self.random.usize(4..9).min(room);
        let Column { left, width } = self.column;
        self.press.fill(left, self.top, width, row_height, 0.12);
        self.set_row(["Article", "Place", "Count"], self.bold);
        for _ in 1..rows {
            self.top += row_height;
            let count = self.random.u32(1..400).to_string();
            let item = self.items.draw();
            let place = pick(self.random, &text::PLACES);
            self.set_row([item, place, &count], self.body.face);
        }
        self.top += row_height;
        let height = row_height * rows as f32;
        let table_top = self.top - height;
        for row in 0..=rows {
            self.press.fill(left, table_top + row_height * row as f32, width, RULE, 0.8);
        }
        for share in [0.0, 0.48, 0.8, 1.0] {
            self.press.fill(left + width * share, table_top, RULE, height + RULE, 0.8);
        }
        self.top += self.body.height;
        true
    }

    fn set_row(&mut self, cells: [&str; 3], face: Face) {
        let style = Style { face, height: self.body.height };
        let Column { left, width } = self.column;
        for (cell, share) in cells.into_iter().zip([0.0, 0.48, 0.8]) {
            let top = self.top + self.body.height * 0.35;
            self.press.set_line(cell, left + width * share + 14.0, top, style, 0.0);
        }
    }

    fn set_box(&mut self) -> bool {
        if self.top > BOTTOM - 230.0 {
            return false;
        }
        let words = self.sentences.paragraph(2);
        let Column { left, width } = self.column;
        let inner = Column { left: left + 26.0, width: width - 52.0 };
        let next = self.press.set_paragraph(&words, inner, self.top + 22.0, self.body);
        self.press.frame(left, self.top, width, next + 14.0 - self.top, 3.0);
        self.top = next + 14.0 + self.body.height;
        true
    }

    fn set_form(&mut self) -> bool {
        let step = self.body.height * 2.1;
        let room = ((BOTTOM - self.top) / step) as usize;
        if room < 2 {
            return false;
        }
        let first = self.random.usize(..text::LABELS.len());
        for field in 0..room.min(5) {
            let label = text::LABELS[(first + field) % text::LABELS.len()];
            let style = self.small();
            self.press.set_line(label, self.column.left, self.top + step * 0.4, style, 0.0);
            let label_width = 190.0;
            let line_left = self.column.left + label_width;
            let line_width = self.column.width - label_width;
            self.press.fill(line_left, self.top + step * 0.85, line_width, RULE, 0.7);
            self.top += step;
        }
        self.top += self.body.height;
        true
    }

    fn small(&self) -> Style {
        Style { face: self.body.face, height: self.body.height * 0.86 }
    }
}
