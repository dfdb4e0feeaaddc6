//! The formats, each from bytes to text or rows. All of it runs in a parser: what panics, eats or
//! hangs here ends a process that is there for this one document.

mod encoding;
mod html;
mod kind;
mod office;
mod pdf;
mod refusal;
mod table;
mod text;

use serde_json::{Value, json};

use super::facts::Facts;
use super::settings::DocumentText;
use super::wire::{Request, Task};
use kind::Kind;

pub use encoding::is_encoding;
pub use refusal::Refusal;

/// What is read of a document.
pub struct Read {
    /// What it says: a text, a list of texts, or rows.
    pub said: Value,
    /// What is known of it beside that.
    pub facts: Facts,
}

/// A document's text, in as many pages as it has.
pub struct Pages {
    /// Their texts.
    pub texts: Vec<String>,
    /// What is known beside them.
    pub facts: Facts,
}

impl Pages {
    /// As a stage gives them: one by one, or as one text.
    fn told(self, one_by_one: bool) -> Read {
        let said = if one_by_one { json!(self.texts) } else { json!(self.texts.join("\n\n")) };
        Read { said, facts: self.facts }
    }
}

/// Reads a document as it is asked for.
pub fn read(request: &Request) -> Result<Read, Refusal> {
    let bytes = std::fs::read(&request.file).map_err(|error| Refusal::broken(&error))?;
    let found = kind::of_bytes(&bytes);
    let must_be = |wanted: Kind| if found == wanted { Ok(()) } else { Err(found.is_not(wanted)) };
    match &request.task {
        Task::Pdf(settings) => {
            must_be(Kind::Pdf)?;
            let max = settings.common.max_output_bytes;
            Ok(pdf::pages(&bytes, settings.pages.max_pages, max)?.told(settings.pages.pages))
        }
        Task::Docx(settings) => {
            must_be(Kind::Docx)?;
            let archive = office::Archive::open(&bytes, &settings.archive)?;
            Ok(office::docx(archive, settings.common.max_output_bytes)?.told(false))
        }
        Task::Pptx(settings) => {
            must_be(Kind::Pptx)?;
            let archive = office::Archive::open(&bytes, &settings.archive)?;
            let max = settings.common.max_output_bytes;
            let slides = office::pptx(archive, settings.pages.max_pages, settings.notes, max)?;
            Ok(slides.told(settings.pages.pages))
        }
        Task::Html(settings) => {
            found.may_be_text(Kind::Html)?;
            let max = settings.common.max_output_bytes;
            Ok(html::pages(&bytes, settings.encoding.as_deref(), max)?.told(false))
        }
        Task::Any(settings) => {
            Ok(any(&bytes, found, request, settings)?.told(settings.pages.pages))
        }
        Task::Xlsx(settings) => {
            must_be(Kind::Xlsx)?;
            table::xlsx(&bytes, settings)
        }
        Task::Csv(settings) => {
            found.may_be_text(Kind::Csv)?;
            table::csv(&bytes, settings)
        }
    }
}

/// The text of whatever it is. First bytes go before the media type, and this before the name.
fn any(
    bytes: &[u8],
    found: Kind,
    request: &Request,
    settings: &DocumentText,
) -> Result<Pages, Refusal> {
    let (pages_max, bytes_max) = (settings.pages.max_pages, settings.common.max_output_bytes);
    let archive = || office::Archive::open(bytes, &settings.archive);
    match found {
        Kind::Pdf => pdf::pages(bytes, pages_max, bytes_max),
        Kind::Docx => office::docx(archive()?, bytes_max),
        Kind::Pptx => office::pptx(archive()?, pages_max, false, bytes_max),
        Kind::Xlsx => table::sheets(bytes, settings),
        Kind::Html => html::pages(bytes, None, bytes_max),
        Kind::Text | Kind::Csv => {
            let told = request.media_type.as_deref().and_then(kind::of_media_type);
            match told.or_else(|| kind::of_name(&request.name)) {
                Some(Kind::Html) => html::pages(bytes, None, bytes_max),
                _ => text::plain(bytes),
            }
        }
        other => Err(other.is_unreadable()),
    }
}
