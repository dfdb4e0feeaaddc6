//! Tables of plain text.

use super::{out, words};
use clap::builder::styling::Style;

/// One field of a table.
#[derive(Clone)]
pub struct Cell {
    text: String,
    style: Style,
    right: bool,
}

/// Rows under a line of heads.
pub struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Cell {
    /// A number, at the right edge of its column; nothing for zero.
    pub fn count(count: u64, style: Style) -> Self {
        let text = if count == 0 { "-".to_owned() } else { count.to_string() };
        let style = if count == 0 { out::faint() } else { style };
        Self { text, style, right: true }
    }

    /// A state in its colour.
    pub fn state(state: &str) -> Self {
        Self { text: out::clean(state), style: words::style_of_state(state), right: false }
    }

    /// The head of a column.
    pub fn head(text: &str) -> Self {
        Self { text: text.to_owned(), style: out::strong(), right: false }
    }

    /// The head of a column of numbers.
    pub fn right_head(text: &str) -> Self {
        Self { text: text.to_owned(), style: out::strong(), right: true }
    }

    /// A figure, at the right edge of its column.
    pub fn right(text: String) -> Self {
        Self { text, style: Style::new(), right: true }
    }

    /// A text that is there for completeness.
    pub fn faint(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: out::faint(), right: false }
    }

    fn paint(&self, width: usize, last: bool) -> String {
        let gap = " ".repeat(width.saturating_sub(self.text.chars().count()));
        let text = out::paint(&self.text, self.style);
        match (self.right, last) {
            (true, _) => format!("{gap}{text}"),
            (false, true) => text,
            (false, false) => format!("{text}{gap}"),
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: out::clean(&text.into()), style: Style::new(), right: false }
    }
}

impl Table {
    /// No rows yet.
    pub fn new<const N: usize>(heads: [&str; N]) -> Self {
        Self::with_heads(heads.into_iter().map(Cell::head).collect())
    }

    /// No rows yet, and heads as they are.
    pub fn with_heads(heads: Vec<Cell>) -> Self {
        Self { rows: vec![heads] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Writes it to stdout.
    pub fn print(&self) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.text.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).enumerate();
            let cells =
                cells.map(|(index, (cell, width))| cell.paint(*width, index + 1 == row.len()));
            out::line(cells.collect::<Vec<_>>().join("  ").trim_end());
        }
    }
}
