//! XML as a row of events: elements by their local names, and text. Entities that a document
//! defines itself are not expanded.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::documents::formats::Refusal;

/// What comes next.
pub enum Item<'a> {
    /// An element begins; one without content ends at once.
    Start(Element<'a>),
    /// An element ends.
    End(&'a str),
    /// Text.
    Text(&'a str),
}

/// An element.
pub struct Element<'a> {
    /// Its name, without a prefix.
    pub name: &'a str,
    start: &'a BytesStart<'a>,
}

impl Element<'_> {
    /// An attribute by its name, prefix included.
    pub fn attribute(&self, name: &str) -> Option<String> {
        let attribute = self.start.try_get_attribute(name).ok()??;
        Some(attribute.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned())
    }
}

/// Goes through a text of XML.
pub fn read(
    text: &str,
    mut each: impl FnMut(Item<'_>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut reader = Reader::from_str(text);
    loop {
        let event = reader.read_event().map_err(|error| Refusal::broken(&error))?;
        match event {
            Event::Start(start) => {
                each(Item::Start(Element {
                    name: start.local_name().into_inner(),
                    start: &start,
                }))?;
            }
            Event::Empty(start) => {
                let name = start.local_name().into_inner();
                each(Item::Start(Element { name, start: &start }))?;
                each(Item::End(name))?;
            }
            Event::End(end) => each(Item::End(end.local_name().into_inner()))?,
            Event::Text(text) => each(Item::Text(&text.xml10_content()))?,
            Event::CData(text) => each(Item::Text(&text.xml10_content()))?,
            Event::GeneralRef(reference) => {
                let number = reference.resolve_char_ref().ok().flatten();
                let character = number.or_else(|| predefined(&reference));
                if let Some(character) = character {
                    each(Item::Text(character.encode_utf8(&mut [0; 4])))?;
                }
            }
            Event::Eof => return Ok(()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

fn predefined(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}
