//! Documents that tests make themselves.

use std::io::{Cursor, Write};

use pdf_extract::content::{Content, Operation};
use pdf_extract::{Dictionary, Document, Object, Stream, dictionary};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A PDF with a page for each of these contents, and with these forms to be drawn, `F0` the first.
pub fn pdf_of(contents: &[Vec<Operation>], forms: &[Vec<Operation>]) -> Document {
    let mut document = Document::with_version("1.5");
    let font = document.add_object(dictionary! {
        "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica",
        "Encoding" => "WinAnsiEncoding",
    });
    let resources = document.new_object_id();
    let encode = |operations: &[Operation]| Content { operations }.encode().expect("encoded");
    let mut drawn = Dictionary::new();
    for (number, form) in forms.iter().enumerate() {
        let about = dictionary! {
            "Type" => "XObject", "Subtype" => "Form", "Resources" => resources,
            "BBox" => vec![0.into(), 0.into(), 600.into(), 800.into()],
        };
        let form = document.add_object(Stream::new(about, encode(form)));
        drawn.set(format!("F{number}"), form);
    }
    let fonts = dictionary! { "F" => font };
    document.set_object(resources, dictionary! { "Font" => fonts, "XObject" => drawn });
    let tree = document.new_object_id();
    let pages: Vec<Object> = contents
        .iter()
        .map(|content| {
            let content = document.add_object(Stream::new(Dictionary::new(), encode(content)));
            let page = dictionary! { "Type" => "Page", "Parent" => tree, "Contents" => content };
            document.add_object(page).into()
        })
        .collect();
    let count = i64::try_from(pages.len()).expect("few");
    document.set_object(
        tree,
        dictionary! {
            "Type" => "Pages", "Kids" => pages, "Count" => count, "Resources" => resources,
            "MediaBox" => vec![0.into(), 0.into(), 595.into(), 842.into()],
        },
    );
    let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => tree });
    document.trailer.set("Root", catalog);
    let info = document.add_object(dictionary! { "Title" => Object::string_literal("A title") });
    document.trailer.set("Info", info);
    let id = Object::string_literal("0123456789abcdef");
    document.trailer.set("ID", Object::Array(vec![id.clone(), id]));
    document
}

/// What writes a text.
pub fn writing(text: &str) -> Vec<Operation> {
    vec![
        Operation::new("BT", vec![]),
        Operation::new("Tf", vec!["F".into(), 12.into()]),
        Operation::new("Td", vec![72.into(), 700.into()]),
        Operation::new("Tj", vec![Object::string_literal(text)]),
        Operation::new("ET", vec![]),
    ]
}

/// What draws a form.
pub fn drawing(form: usize) -> Operation {
    Operation::new("Do", vec![format!("F{form}").as_str().into()])
}

/// The bytes of a PDF.
pub fn saved(mut document: Document) -> Vec<u8> {
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).expect("saved");
    bytes
}

/// A PDF with a page for each of these texts.
pub fn pdf(texts: &[&str]) -> Vec<u8> {
    let contents: Vec<_> = texts.iter().map(|text| writing(text)).collect();
    saved(pdf_of(&contents, &[]))
}

/// An archive of these parts.
pub fn archive(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        archive.start_file(*name, SimpleFileOptions::default()).expect("begun");
        archive.write_all(content.as_bytes()).expect("written");
    }
    archive.finish().expect("ended").into_inner()
}

/// A document of Word with this body.
pub fn docx(body: &str) -> Vec<u8> {
    let document = format!("<w:document xmlns:w='w'><w:body>{body}</w:body></w:document>");
    archive(&[("word/document.xml", &document)])
}

/// A workbook of one sheet with this data.
pub fn xlsx(data: &str) -> Vec<u8> {
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let relations = "http://schemas.openxmlformats.org/package/2006/relationships";
    let related = format!(
        "<Relationships xmlns='{relations}'><Relationship Id='r1' Type='{kind}/worksheet' \
         Target='worksheets/sheet1.xml'/></Relationships>"
    );
    let root = format!(
        "<Relationships xmlns='{relations}'><Relationship Id='r1' Type='{kind}/officeDocument' \
         Target='xl/workbook.xml'/></Relationships>"
    );
    let book = format!(
        "<workbook xmlns='{main}' xmlns:r='{kind}'><sheets><sheet name='One' sheetId='1' \
         r:id='r1'/></sheets></workbook>"
    );
    let sheet = format!("<worksheet xmlns='{main}'><sheetData>{data}</sheetData></worksheet>");
    archive(&[
        ("[Content_Types].xml", "<Types/>"),
        ("_rels/.rels", &root),
        ("xl/workbook.xml", &book),
        ("xl/_rels/workbook.xml.rels", &related),
        ("xl/worksheets/sheet1.xml", &sheet),
    ])
}
