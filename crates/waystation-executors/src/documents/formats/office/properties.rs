//! What a document of Office says of itself.

use super::archive::Archive;
use super::xml::{self, Item};
use crate::documents::facts::Facts;
use crate::documents::formats::Refusal;

/// Adds its title and its author.
pub fn add(archive: &mut Archive<'_>, facts: Facts) -> Result<Facts, Refusal> {
    let Some(text) = archive.text("docProps/core.xml")? else { return Ok(facts) };
    let (mut title, mut author) = (String::new(), String::new());
    let mut within = String::new();
    xml::read(&text, |item| {
        match item {
            Item::Start(element) => element.name.clone_into(&mut within),
            Item::End(_) => within.clear(),
            Item::Text(text) => match within.as_str() {
                "title" => title.push_str(text),
                "creator" => author.push_str(text),
                _ => {}
            },
        }
        Ok(())
    })?;
    Ok(facts.text("title", Some(title)).text("author", Some(author)))
}
