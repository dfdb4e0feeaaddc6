//! Documents of Word: a line a paragraph, a line a row of a table with tabs between its cells, and
//! notes at the end. Headers, footers and comments are left out, and so is what was deleted with
//! changes tracked.

use super::archive::Archive;
use super::properties;
use super::wording::write;
use crate::documents::facts::Facts;
use crate::documents::formats::text::Text;
use crate::documents::formats::{Pages, Refusal};

/// Its parts with text, in their order.
const NOTES: [&str; 2] = ["word/footnotes.xml", "word/endnotes.xml"];

/// Its text.
pub fn docx(mut archive: Archive<'_>, bytes_max: u64) -> Result<Pages, Refusal> {
    let mut text = Text::new(bytes_max);
    write(&archive.needed("word/document.xml")?, &mut text)?;
    for part in NOTES {
        if let Some(notes) = archive.text(part)? {
            text.end_line()?;
            write(&notes, &mut text)?;
        }
    }
    let facts = properties::add(&mut archive, Facts::new("docx"))?;
    Ok(Pages { texts: vec![text.take()], facts })
}
