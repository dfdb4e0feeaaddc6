//! What a part of a document says. Texts and slides call words, paragraphs and cells the same.

use super::xml::{self, Item};
use crate::documents::formats::Refusal;
use crate::documents::formats::text::Text;

/// Writes what a part says: a line a paragraph, and a line a row of a table with tabs between its
/// cells.
pub fn write(part: &str, text: &mut Text) -> Result<(), Refusal> {
    let (mut is_text, mut cells, mut passed_by) = (false, 0_usize, 0_usize);
    xml::read(part, |item| {
        match item {
            // What stands there for old programs says the same again.
            Item::Start(element) if element.name == "Fallback" => passed_by += 1,
            Item::End("Fallback") => passed_by = passed_by.saturating_sub(1),
            _ if passed_by > 0 => {}
            Item::Start(element) => match element.name {
                "t" => is_text = true,
                "tab" if !is_style(&element) => text.push("\t")?,
                "br" | "cr" => text.push("\n")?,
                "noBreakHyphen" => text.push("-")?,
                "tc" => cells += 1,
                _ => {}
            },
            Item::Text(part) if is_text => text.push(part)?,
            Item::End("t") => is_text = false,
            Item::End("p") if cells > 0 => text.push(" ")?,
            Item::End("p") => text.push("\n")?,
            Item::End("tc") => {
                cells = cells.saturating_sub(1);
                text.trim_end(&[' ']);
                text.push("\t")?;
            }
            Item::End("tr") => {
                text.trim_end(&['\t']);
                text.push("\n")?;
            }
            Item::Text(_) | Item::End(_) => {}
        }
        Ok(())
    })
}

/// Whether a `tab` says where tabs stop, and is none.
fn is_style(element: &xml::Element<'_>) -> bool {
    ["w:val", "w:pos", "pos"].iter().any(|name| element.attribute(name).is_some())
}
