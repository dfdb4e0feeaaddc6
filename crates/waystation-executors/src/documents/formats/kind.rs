//! What a document is: by its first bytes, its media type, its name.

use std::path::Path;

use super::Refusal;
use super::office;

/// How far into a file the mark of a PDF may stand.
const PDF_MARK_WITHIN: usize = 1_024;
/// How much of a text is looked at.
const LOOKED_AT: usize = 4_096;

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The portable one.
    Pdf,
    /// A text of Word.
    Docx,
    /// Slides.
    Pptx,
    /// Sheets of Excel.
    Xlsx,
    /// A page of the web.
    Html,
    /// Values with commas between them.
    Csv,
    /// Some other text.
    Text,
    /// An archive whose end is missing.
    CutArchive,
    /// Some other archive.
    Archive,
    /// A document of Office under a password.
    EncryptedOffice,
    /// One of an Office of the last century.
    OldOffice,
    /// None of these.
    Unknown,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Pdf => "a PDF",
            Self::Docx => "a docx",
            Self::Pptx => "a pptx",
            Self::Xlsx => "an xlsx",
            Self::Html => "HTML",
            Self::Csv => "CSV",
            Self::Text => "a text",
            Self::CutArchive | Self::Archive => "a zip archive",
            Self::EncryptedOffice | Self::OldOffice => "an old binary Office document",
            Self::Unknown => "of an unknown type",
        }
    }

    /// Why it is not what it was said to be.
    pub fn is_not(self, wanted: Self) -> Refusal {
        match self {
            Self::CutArchive | Self::EncryptedOffice => self.is_unreadable(),
            _ => Refusal::new(format!("not {}: it is {}", wanted.name(), self.name())),
        }
    }

    /// Why nobody reads it.
    pub fn is_unreadable(self) -> Refusal {
        match self {
            Self::CutArchive => Refusal::truncated("the end of its archive is missing"),
            Self::EncryptedOffice => Refusal::encrypted(),
            _ => {
                let known = "PDF, docx, pptx, xlsx, HTML and texts are read";
                Refusal::new(format!("not readable: it is {} ({known})", self.name()))
            }
        }
    }

    /// Lets texts pass, which are what somebody takes them for.
    pub fn may_be_text(self, wanted: Self) -> Result<(), Refusal> {
        match self {
            Self::Html | Self::Csv | Self::Text => Ok(()),
            _ => Err(self.is_not(wanted)),
        }
    }
}

/// By the bytes.
pub fn of_bytes(bytes: &[u8]) -> Kind {
    let head = &bytes[..bytes.len().min(PDF_MARK_WITHIN)];
    if head.starts_with(b"PK\x03\x04") {
        return office::kind(bytes);
    }
    if head.starts_with(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1") {
        // Names of its streams are UTF-16.
        let name: Vec<u8> = "EncryptedPackage".bytes().flat_map(|byte| [byte, 0]).collect();
        let is_encrypted = bytes.windows(name.len()).any(|window| window == name);
        return if is_encrypted { Kind::EncryptedOffice } else { Kind::OldOffice };
    }
    if head.windows(5).any(|window| window == b"%PDF-") {
        return Kind::Pdf;
    }
    let head = &bytes[..bytes.len().min(LOOKED_AT)];
    let is_utf_16 = head.starts_with(b"\xFF\xFE") || head.starts_with(b"\xFE\xFF");
    if !is_utf_16 && head.contains(&0) {
        return Kind::Unknown;
    }
    let text: Vec<u8> =
        head.iter().filter(|byte| **byte != 0).map(u8::to_ascii_lowercase).collect();
    let text = String::from_utf8_lossy(&text);
    if is_html(&text) { Kind::Html } else { Kind::Text }
}

/// Whether a text in small letters begins as pages do, after what may stand before that.
fn is_html(text: &str) -> bool {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|letter: char| {
            letter.is_whitespace() || matches!(letter, '\u{feff}' | '\u{fffd}')
        });
        let after = |begin: &str, end: &str| Some(rest.strip_prefix(begin)?.split_once(end)?.1);
        match after("<?xml", "?>").or_else(|| after("<!--", "-->")) {
            Some(after) => rest = after,
            None => break,
        }
    }
    ["<!doctype html", "<html", "<head>", "<body"].iter().any(|tag| rest.starts_with(tag))
}

/// By a media type, as far as it tells texts apart.
pub fn of_media_type(media_type: &str) -> Option<Kind> {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "text/html" | "application/xhtml+xml" => Some(Kind::Html),
        "text/csv" => Some(Kind::Csv),
        other if other.starts_with("text/") => Some(Kind::Text),
        _ => None,
    }
}

/// By the ending of a name, as far as it tells texts apart.
pub fn of_name(name: &str) -> Option<Kind> {
    let ending = Path::new(name).extension()?.to_str()?.to_ascii_lowercase();
    match ending.as_str() {
        "html" | "htm" | "xhtml" => Some(Kind::Html),
        "csv" => Some(Kind::Csv),
        _ => Some(Kind::Text),
    }
}
