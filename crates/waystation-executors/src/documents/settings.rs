//! What stages that read documents are told. The same goes to their parser.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of every document.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
pub struct Common {
    /// The param that says where the document is: the path of a file, a URL as `objects` gives it,
    /// or a reference to a blob. `path` unless said, or `url` where there is no `path`.
    #[schemars(length(min = 1))]
    pub from: Option<String>,
    /// The param for what is known of the document beside what it says: `type`, `bytes`, `title`,
    /// `author`, and what can be counted.
    #[serde(default = "facts")]
    #[schemars(length(min = 1))]
    pub facts: String,
    /// Where the document is an object: credentials and whatever else its store is told, as those
    /// of `objects`.
    #[serde(default, skip_serializing)]
    pub options: BTreeMap<String, String>,
    /// The largest document, in bytes.
    #[serde(default = "megabytes::<64>")]
    #[schemars(range(min = 1))]
    pub max_bytes: u64,
    /// The most bytes that what is read of it may have, as JSON.
    #[serde(default = "megabytes::<16>")]
    #[schemars(range(min = 1))]
    pub max_output_bytes: u64,
    /// The most memory that its parser may take, in bytes, the program itself included.
    #[serde(default = "megabytes::<1024>")]
    #[schemars(range(min = 268_435_456))]
    pub max_memory_bytes: u64,
    /// The most time of a processor that its parser may take, in seconds.
    #[serde(default = "processor_seconds")]
    #[schemars(range(min = 1))]
    pub max_processor_seconds: u64,
    /// The most time that its parser may take by the clock, in seconds.
    #[serde(default = "seconds")]
    #[schemars(range(min = 1))]
    pub max_seconds: u64,
}

/// How much an archive may hold, which documents of an office are.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
pub struct Archive {
    /// The most entries of its archive.
    #[serde(default = "entries")]
    #[schemars(range(min = 1))]
    pub max_entries: usize,
    /// The most bytes that its archive may unpack to.
    #[serde(default = "megabytes::<256>")]
    #[schemars(range(min = 1))]
    pub max_unpacked_bytes: u64,
}

/// Where text goes.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
pub struct ToText {
    /// The param for the text.
    #[serde(default = "text")]
    #[schemars(length(min = 1))]
    pub output: String,
}

/// Where rows go, and which row names the columns.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
pub struct ToRows {
    /// The param for the rows.
    #[serde(default = "rows")]
    #[schemars(length(min = 1))]
    pub output: String,
    /// Whether the first row names the columns. Then each row is an object; it is a list otherwise.
    #[serde(default = "yes")]
    pub header: bool,
    /// The most rows, the first one included.
    #[serde(default = "row_count")]
    #[schemars(range(min = 1))]
    pub max_rows: usize,
}

/// Text that comes in pages.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
pub struct InPages {
    /// Whether the param for the text is a list, of the text of each page.
    #[serde(default)]
    pub pages: bool,
    /// The most pages.
    #[serde(default = "page_count")]
    #[schemars(range(min = 1))]
    pub max_pages: usize,
}

/// What a stage of the type `pdf.text` is told.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PdfText {
    #[serde(flatten)]
    pub to: ToText,
    #[serde(flatten)]
    pub pages: InPages,
    #[serde(flatten)]
    pub common: Common,
}

/// What a stage of the type `docx.text` is told.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct DocxText {
    #[serde(flatten)]
    pub to: ToText,
    #[serde(flatten)]
    pub common: Common,
    #[serde(flatten)]
    pub archive: Archive,
}

/// What a stage of the type `pptx.text` is told. Its pages are slides.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PptxText {
    #[serde(flatten)]
    pub to: ToText,
    #[serde(flatten)]
    pub pages: InPages,
    /// Whether the notes of a slide follow its text.
    #[serde(default)]
    pub notes: bool,
    #[serde(flatten)]
    pub common: Common,
    #[serde(flatten)]
    pub archive: Archive,
}

/// What a stage of the type `html.text` is told.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct HtmlText {
    #[serde(flatten)]
    pub to: ToText,
    /// The encoding, as `windows-1252`; the one that the document names unless said.
    #[schemars(length(min = 1))]
    pub encoding: Option<String>,
    #[serde(flatten)]
    pub common: Common,
}

/// What a stage of the type `document.text` is told. Its pages are pages, slides or sheets; any
/// other document is one.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct DocumentText {
    #[serde(flatten)]
    pub to: ToText,
    /// The param that tells the document's media type, which is asked where the first bytes leave
    /// it open whether a text is HTML. The ending of its name is asked after it.
    #[serde(default = "media_type")]
    #[schemars(length(min = 1))]
    pub media_type: String,
    #[serde(flatten)]
    pub pages: InPages,
    #[serde(flatten)]
    pub common: Common,
    #[serde(flatten)]
    pub archive: Archive,
    /// The most rows of a sheet.
    #[serde(default = "row_count")]
    #[schemars(range(min = 1))]
    pub max_rows: usize,
}

/// What a stage of the type `xlsx.rows` is told.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct XlsxRows {
    #[serde(flatten)]
    pub to: ToRows,
    /// The name of the sheet; the first one unless said.
    #[schemars(length(min = 1))]
    pub sheet: Option<String>,
    #[serde(flatten)]
    pub common: Common,
    #[serde(flatten)]
    pub archive: Archive,
}

/// What a stage of the type `csv.rows` is told.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CsvRows {
    #[serde(flatten)]
    pub to: ToRows,
    /// What separates fields: one character of ASCII.
    #[serde(default = "comma")]
    #[schemars(regex(pattern = r"^[\x00-\x7F]$"))]
    pub separator: String,
    /// Whether rows may have more or fewer fields than the first one.
    #[serde(default)]
    pub ragged: bool,
    /// The encoding, as `windows-1252`; UTF-8 unless said, or what the first bytes say.
    #[schemars(length(min = 1))]
    pub encoding: Option<String>,
    #[serde(flatten)]
    pub common: Common,
}

fn megabytes<const COUNT: u64>() -> u64 {
    COUNT << 20
}

fn facts() -> String {
    "document".to_owned()
}

fn text() -> String {
    "text".to_owned()
}

fn rows() -> String {
    "rows".to_owned()
}

fn media_type() -> String {
    "media_type".to_owned()
}

fn comma() -> String {
    ",".to_owned()
}

fn yes() -> bool {
    true
}

fn entries() -> usize {
    10_000
}

fn page_count() -> usize {
    2_000
}

fn row_count() -> usize {
    100_000
}

fn processor_seconds() -> u64 {
    30
}

fn seconds() -> u64 {
    60
}
