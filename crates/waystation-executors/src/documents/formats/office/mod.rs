//! Documents of Office: archives of XML.

mod archive;
mod docx;
mod pptx;
mod properties;
mod relations;
mod wording;
mod xml;

use super::kind::Kind;

pub use archive::Archive;
pub use docx::docx;
pub use pptx::pptx;

/// What an archive is, by what lies in it.
pub fn kind(bytes: &[u8]) -> Kind {
    let Ok(archive) = zip::ZipArchive::new(std::io::Cursor::new(bytes)) else {
        return Kind::CutArchive;
    };
    let has = |name: &str| archive.index_for_name(name).is_some();
    if has("word/document.xml") {
        Kind::Docx
    } else if has("ppt/presentation.xml") {
        Kind::Pptx
    } else if has("xl/workbook.xml") {
        Kind::Xlsx
    } else {
        Kind::Archive
    }
}
