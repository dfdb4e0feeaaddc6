//! What a worker and a parser say to each other: one line each way, after the parser said hello.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use waystation_core::Params;

use super::settings::{
    Common, CsvRows, DocumentText, DocxText, HtmlText, PdfText, PptxText, XlsxRows,
};

/// Tells a process whose parser it is: the number of the process that asks.
pub const VARIABLE: &str = "WAYSTATION_PARSER";
/// A parser's first line. Whatever stands before it is no parser's.
pub const HELLO: &str = "waystation parser 1";

/// What a parser is to do.
#[derive(Deserialize, Serialize)]
pub struct Request {
    /// Where the document lies.
    pub file: PathBuf,
    /// Its name, as far as it says what the document is.
    pub name: String,
    /// Its media type, where somebody told it.
    pub media_type: Option<String>,
    /// What it is to be read as, and within which limits.
    pub task: Task,
}

/// What a document is to be read as.
#[derive(Clone, Deserialize, Serialize)]
pub enum Task {
    /// `pdf.text`.
    Pdf(PdfText),
    /// `docx.text`.
    Docx(DocxText),
    /// `pptx.text`.
    Pptx(PptxText),
    /// `html.text`.
    Html(HtmlText),
    /// `document.text`.
    Any(DocumentText),
    /// `xlsx.rows`.
    Xlsx(XlsxRows),
    /// `csv.rows`.
    Csv(CsvRows),
}

impl Task {
    /// What every stage of these types is told.
    pub fn common(&self) -> &Common {
        match self {
            Self::Pdf(settings) => &settings.common,
            Self::Docx(settings) => &settings.common,
            Self::Pptx(settings) => &settings.common,
            Self::Html(settings) => &settings.common,
            Self::Any(settings) => &settings.common,
            Self::Xlsx(settings) => &settings.common,
            Self::Csv(settings) => &settings.common,
        }
    }

    /// The param for what the document says.
    pub fn to(&self) -> &str {
        match self {
            Self::Pdf(settings) => &settings.to.output,
            Self::Docx(settings) => &settings.to.output,
            Self::Pptx(settings) => &settings.to.output,
            Self::Html(settings) => &settings.to.output,
            Self::Any(settings) => &settings.to.output,
            Self::Xlsx(settings) => &settings.to.output,
            Self::Csv(settings) => &settings.to.output,
        }
    }
}

/// What came of it.
#[derive(Deserialize, Serialize)]
pub enum Answer {
    /// It is read.
    Read {
        /// What it says: a text, a list of texts, or rows.
        said: Value,
        /// What is known of it beside that.
        facts: Params,
    },
    /// It cannot be read, and why.
    Refused(String),
}
