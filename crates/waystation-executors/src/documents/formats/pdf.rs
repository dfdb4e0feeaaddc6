//! PDF: the text of each page, in the order in which the page draws it.
//!
//! The reader of text below gives up at whatever it does not know. So it is given pages on which
//! text is all that is left: no images, no colours, no paths.

use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use pdf_extract::content::{Content, Operation};
use pdf_extract::{
    ConvertToFmt, Document, MediaBox, Object, ObjectId, OutputDev, OutputError, PlainTextOutput,
    Stream, Transform, decode_text_string, output_doc,
};

use super::text::clean;
use super::{Facts, Pages, Refusal};

/// How far from the end of a file its mark may stand.
const END_WITHIN: usize = 1_024;

/// The text of each page.
pub fn pages(bytes: &[u8], pages_max: usize, bytes_max: u64) -> Result<Pages, Refusal> {
    let mut document = load(bytes)?;
    let pages: Vec<ObjectId> = document.page_iter().take(pages_max.saturating_add(1)).collect();
    if pages.is_empty() {
        return Err(Refusal::broken(&"it has no pages"));
    }
    if pages.len() > pages_max {
        return Err(Refusal::more_than(pages_max, "pages", "max_pages"));
    }
    let facts = Facts::new("pdf")
        .text("title", said_of(&document, b"Title"))
        .text("author", said_of(&document, b"Author"))
        .with("pages", pages.len());
    strip(&mut document, &pages)?;
    let texts = texts(&document, bytes_max)?;
    Ok(Pages { texts, facts })
}

fn load(bytes: &[u8]) -> Result<Document, Refusal> {
    let tail = &bytes[bytes.len().saturating_sub(END_WITHIN)..];
    if !tail.windows(5).any(|window| window == b"%%EOF") {
        return Err(Refusal::truncated("the mark of its end is missing"));
    }
    let document = Document::load_mem(bytes).map_err(|error| match error {
        pdf_extract::Error::InvalidPassword
        | pdf_extract::Error::Decryption(_)
        | pdf_extract::Error::UnsupportedSecurityHandler(_) => Refusal::encrypted(),
        error => Refusal::broken(&error),
    })?;
    // Those that open without a password are open by now.
    if document.is_encrypted() { Err(Refusal::encrypted()) } else { Ok(document) }
}

/// What the document says of itself.
fn said_of(document: &Document, name: &[u8]) -> Option<String> {
    let (_, info) = document.dereference(document.trailer.get(b"Info").ok()?).ok()?;
    let (_, text) = document.dereference(info.as_dict().ok()?.get(name).ok()?).ok()?;
    decode_text_string(text).ok()
}

/// Leaves of pages, and of what they draw, only their text.
fn strip(document: &mut Document, pages: &[ObjectId]) -> Result<(), Refusal> {
    for (number, page) in pages.iter().enumerate() {
        let broken =
            |error: &pdf_extract::Error| Refusal::broken(&format!("page {}: {error}", number + 1));
        let content = document.get_page_content(*page).map_err(|error| broken(&error))?;
        let content = text_of(&content).map_err(|error| broken(&error))?;
        let content = document.add_object(Stream::new(pdf_extract::Dictionary::new(), content));
        let page = document.get_object_mut(*page).and_then(Object::as_dict_mut);
        page.map_err(|error| broken(&error))?.set("Contents", Object::Reference(content));
    }
    for object in document.objects.values_mut() {
        let Object::Stream(stream) = object else { continue };
        let subtype = stream.dict.get(b"Subtype").and_then(Object::as_name).unwrap_or_default();
        match subtype {
            b"Form" => {
                let content = stream.get_plain_content().and_then(|content| text_of(&content));
                stream.set_plain_content(content.unwrap_or_default());
            }
            b"Image" => stream.set_plain_content(Vec::new()),
            _ => {}
        }
    }
    Ok(())
}

/// What of a content writes text, moves to where it is written, or draws what may hold text.
fn text_of(content: &[u8]) -> Result<Vec<u8>, pdf_extract::Error> {
    let mut kept = Vec::new();
    for operation in Content::decode(content)?.operations {
        let Operation { operator, operands } = &operation;
        let is_number = |object: &Object| matches!(object, Object::Integer(_) | Object::Real(_));
        let numbers = |count| operands.len() == count && operands.iter().all(is_number);
        let is_good = match operator.as_str() {
            "BT" | "ET" | "q" | "Q" | "T*" => operands.is_empty(),
            "cm" | "Tm" => numbers(6),
            "Td" | "TD" => numbers(2),
            "Tc" | "Tw" | "Tz" | "TL" | "Ts" => numbers(1),
            "Tf" => matches!(operands.as_slice(), [Object::Name(_), size] if is_number(size)),
            "Tj" | "'" => matches!(operands.as_slice(), [Object::String(..)]),
            "\"" => matches!(operands.as_slice(), [_, _, Object::String(..)]),
            "TJ" => matches!(operands.as_slice(), [Object::Array(_)]),
            "Do" => matches!(operands.as_slice(), [Object::Name(_)]),
            _ => false,
        };
        if !is_good {
            continue;
        }
        // What begins a line and writes it is two operations to the reader.
        if let ("'" | "\"", Some(text)) = (operator.as_str(), operands.last()) {
            kept.push(Operation::new("T*", Vec::new()));
            kept.push(Operation::new("Tj", vec![text.clone()]));
        } else {
            kept.push(operation);
        }
    }
    Content { operations: kept }.encode()
}

fn texts(document: &Document, bytes_max: u64) -> Result<Vec<String>, Refusal> {
    let sheet = Sheet { text: Rc::default(), room: Rc::new(Cell::new(bytes_max)) };
    let mut reader = Reader {
        output: PlainTextOutput::new(sheet.clone()),
        sheet: sheet.clone(),
        texts: Vec::new(),
    };
    let read = catch_unwind(AssertUnwindSafe(|| output_doc(document, &mut reader)));
    let page = reader.texts.len() + 1;
    let at_page = |Refusal(why): Refusal| {
        let why = why.strip_prefix("broken: ").unwrap_or(&why).to_owned();
        Refusal::broken(&format!("page {page}: {why}"))
    };
    match read {
        Ok(Ok(())) => Ok(reader.texts),
        Ok(Err(_)) if sheet.is_full() => Err(Refusal::long(bytes_max)),
        Ok(Err(error)) => Err(at_page(Refusal::broken(&error))),
        Err(panic) => Err(at_page(Refusal::panicked(&*panic))),
    }
}

/// What a page is written on, as long as there is room.
#[derive(Clone)]
struct Sheet {
    text: Rc<RefCell<String>>,
    room: Rc<Cell<u64>>,
}

impl Sheet {
    /// There was no room for more.
    const FULL: u64 = u64::MAX;

    fn is_full(&self) -> bool {
        self.room.get() == Self::FULL
    }
}

impl Write for Sheet {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        let room =
            if self.is_full() { None } else { self.room.get().checked_sub(part.len() as u64) };
        self.room.set(room.unwrap_or(Self::FULL));
        if room.is_none() {
            return Err(std::fmt::Error);
        }
        self.text.borrow_mut().push_str(part);
        Ok(())
    }
}

impl ConvertToFmt for Sheet {
    type Writer = Self;

    fn convert(self) -> Self {
        self
    }
}

/// Reads page by page.
struct Reader {
    output: PlainTextOutput<Sheet>,
    sheet: Sheet,
    texts: Vec<String>,
}

impl OutputDev for Reader {
    fn begin_page(
        &mut self,
        number: u32,
        media_box: &MediaBox,
        art_box: Option<(f64, f64, f64, f64)>,
    ) -> Result<(), OutputError> {
        self.output.begin_page(number, media_box, art_box)
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        let text = self.sheet.text.take();
        self.texts.push(clean(&text));
        self.output.end_page()
    }

    fn output_character(
        &mut self,
        place: &Transform,
        width: f64,
        spacing: f64,
        font_size: f64,
        character: &str,
    ) -> Result<(), OutputError> {
        self.output.output_character(place, width, spacing, font_size, character)
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        self.output.begin_word()
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        self.output.end_word()
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        self.output.end_line()
    }
}
