//! Documents into text and rows: `pdf.text`, `docx.text`, `pptx.text`, `html.text`,
//! `document.text`, `xlsx.rows` and `csv.rows`.
//!
//! Documents come from strangers, and what reads them is large and trusting. So each one is read in
//! a process of its own: this same program, started again ([`parse_if_asked`]), without the
//! environment, within limits that the system holds it to. Whatever a document does to its parser,
//! the worker lives, and the job fails with a reason.

mod facts;
mod formats;
mod input;
mod parser;
mod process;
mod program;
mod settings;
mod stage;
mod wire;

pub use parser::parse_if_asked;
pub use program::parse_by;
pub(crate) use settings::{CsvRows, DocumentText, DocxText, HtmlText, PdfText, PptxText, XlsxRows};
pub(crate) use stage::{
    build_csv, build_document, build_docx, build_html, build_pdf, build_pptx, build_xlsx,
};
