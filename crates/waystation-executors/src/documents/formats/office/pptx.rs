//! Slides: a page a slide, in the order in which they are shown; a line a paragraph,
//! a line a row of a table with tabs between its cells.

use super::archive::Archive;
use super::xml::{self, Item};
use super::{properties, relations, wording};
use crate::documents::facts::Facts;
use crate::documents::formats::text::Text;
use crate::documents::formats::{Pages, Refusal};

/// Lists the slides.
const PRESENTATION: &str = "ppt/presentation.xml";

/// The text of each slide, with its notes if these are wanted.
pub fn pptx(
    mut archive: Archive<'_>,
    slides_max: usize,
    with_notes: bool,
    bytes_max: u64,
) -> Result<Pages, Refusal> {
    let slides = slides(&mut archive)?;
    if slides.len() > slides_max {
        return Err(Refusal::more_than(slides_max, "slides", "max_pages"));
    }
    let mut text = Text::new(bytes_max);
    let mut texts = Vec::new();
    for slide in &slides {
        wording::write(&archive.needed(slide)?, &mut text)?;
        if with_notes {
            let related = relations::of(&mut archive, slide)?;
            let notes = related.values().find(|relation| relation.kind == "notesSlide");
            if let Some(notes) = notes {
                text.end_line()?;
                wording::write(&archive.needed(&notes.target)?, &mut text)?;
            }
        }
        texts.push(text.take());
    }
    let facts = Facts::new("pptx").with("pages", texts.len());
    let facts = properties::add(&mut archive, facts)?;
    Ok(Pages { texts, facts })
}

/// The parts that are its slides, in their order.
fn slides(archive: &mut Archive<'_>) -> Result<Vec<String>, Refusal> {
    let related = relations::of(archive, PRESENTATION)?;
    let presentation = archive.needed(PRESENTATION)?;
    let mut slides = Vec::new();
    xml::read(&presentation, |item| {
        if let Item::Start(element) = item
            && element.name == "sldId"
            && let Some(id) = element.attribute("r:id")
        {
            let missing = || Refusal::broken(&format!("slide `{id}` is missing"));
            slides.push(related.get(&id).ok_or_else(missing)?.target.clone());
        }
        Ok(())
    })?;
    Ok(slides)
}
