//! The program over real documents: found, read, searched; and over some that nobody can read.
#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder with documents, and a home for what is known of them.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("in")).expect("a folder in it");
        Self(folder)
    }

    fn documents(&self) -> PathBuf {
        self.0.path().join("in")
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.documents().join(name), content).expect(name);
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_documents"));
        let command = command.current_dir(self.0.path()).args(arguments).stdin(Stdio::null());
        command.output().expect("the program starts")
    }

    /// The names of the documents that a search finds, best first.
    fn found(&self, words: &str) -> Vec<String> {
        let output = self.run(&["search", words, "--json"]);
        let hits = text(&output.stdout);
        let name = |line: &str| {
            let hit: Value = serde_json::from_str(line).expect(line);
            let location = hit["location"].as_str().expect("a location").to_owned();
            let name = Path::new(&location).file_name().expect("a name");
            name.to_str().expect("a text").to_owned()
        };
        hits.lines().map(name).collect()
    }

    /// Has an office make a document of a text.
    fn convert(&self, from: &str, to: &str) {
        let profile = format!("-env:UserInstallation=file://{}/office", self.0.path().display());
        let converted = Command::new("soffice")
            .args([&profile, "--headless", "--convert-to", to, "--outdir"])
            .arg(self.documents())
            .arg(self.0.path().join(from))
            .output()
            .expect("soffice starts");
        assert!(converted.status.success(), "{from} to {to}: {}", text(&converted.stderr));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn texts_are_found_by_their_words_and_read_once() {
    let place = Place::new();
    place.write("notes.txt", "The viaduct was measured on a Tuesday.");
    place.write("page.html", "<title>Cranes</title><p>The crane lifts <b>girders</b>.</p>");
    place.write("table.csv", "part,weight\ngirder,1200\nbolt,1\n");
    place.write("photo.jpg", [0xFF, 0xD8]);
    let first = place.run(&["index", "in"]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    assert_eq!(text(&first.stdout), "3 documents in 3 chunks\n");
    assert_eq!(place.found("viaduct"), ["notes.txt"]);
    assert_eq!(place.found("girder*").len(), 2);
    assert_eq!(place.found("\"crane lifts\""), ["page.html"]);
    assert_eq!(place.found("Tuesday bolt"), [""; 0]);

    place.write("notes.txt", "The viaduct was measured again, on a Friday in May.");
    assert_eq!(text(&place.run(&["index", "in"]).stdout), "3 documents in 3 chunks\n");
    assert_eq!(place.found("Tuesday"), [""; 0]);
    assert_eq!(place.found("Friday"), ["notes.txt"]);
}

/// Texts that no contract holds travel beside it.
#[test]
fn long_texts_are_found_to_their_end() {
    let place = Place::new();
    place.write("long.txt", format!("{}terminus", "Mile after mile of rails. ".repeat(40_000)));
    let indexed = place.run(&["index", "in"]);
    assert_eq!(indexed.status.code(), Some(0), "{}", text(&indexed.stderr));
    assert_eq!(place.found("terminus"), ["long.txt"]);
}

#[test]
fn documents_of_soffice_are_found_by_their_words() {
    let place = Place::new();
    let make = |name: &str, content: &str| {
        std::fs::write(place.0.path().join(name), content).expect(name);
    };
    make("report.html", "<html><body><h1>Survey</h1><p>Piers stand on caissons.</p></body></html>");
    make("sheet.csv", "span,load\nnorth,421\nsouth,397\n");
    make("slides.fodp", SLIDES);
    place.convert("report.html", "pdf:writer_web_pdf_Export");
    place.convert("report.html", "docx:MS Word 2007 XML");
    place.convert("sheet.csv", "xlsx");
    place.convert("slides.fodp", "pptx");
    let indexed = place.run(&["index", "in"]);
    assert_eq!(indexed.status.code(), Some(0), "{}", text(&indexed.stderr));
    let mut of_caissons = place.found("caissons");
    of_caissons.sort();
    assert_eq!(of_caissons, ["report.docx", "report.pdf"]);
    assert_eq!(place.found("south 397"), ["sheet.xlsx"]);
    assert_eq!(place.found("abutment"), ["slides.pptx"]);
}

#[test]
fn what_cannot_be_read_is_told_by_its_reason_and_stops_no_other() {
    let place = Place::new();
    place.write("good.txt", "Legible words.");
    place.write("cut.docx", b"PK\x03\x04 and no more");
    place.write("empty.pdf", "");
    place.write("fake.pdf", [0_u8, 1, 2, 3, 4, 5, 6, 7]);
    let indexed = place.run(&["index", "in"]);
    assert_eq!(indexed.status.code(), Some(1));
    assert_eq!(place.found("legible"), ["good.txt"]);
    let told = text(&indexed.stderr);
    for (name, why) in [("cut.docx", "truncated"), ("empty.pdf", "empty"), ("fake.pdf", "type")] {
        let line = told.lines().find(|line| line.contains(name));
        let line = line.unwrap_or_else(|| panic!("{name} is told of: {told}"));
        assert!(line.starts_with("not read: ") && line.contains(why), "{line}");
    }
    let failed = place.run(&["failed"]);
    assert_eq!((failed.status.code(), text(&failed.stderr)), (Some(1), told));
    for name in ["cut.docx", "empty.pdf", "fake.pdf"] {
        place.write(name, "Now it is a text.");
    }
    let mended = place.run(&["index", "in"]);
    assert_eq!(mended.status.code(), Some(0), "{}", text(&mended.stderr));
    assert_eq!(place.found("now text").len(), 3);
}

#[test]
fn bad_input_is_named() {
    let place = Place::new();
    for (arguments, told) in [
        (&["index", "nowhere"][..], "nowhere is no folder"),
        (&["index", "ftp://x"], "ftp"),
        (&["search", "**"], "no word in `**`"),
        (&["search", "anything"], "nothing is found for anything"),
        (&["watch", "in", "--every", "0"], "a number of seconds above zero is due"),
    ] {
        let output = place.run(arguments);
        assert_ne!(output.status.code(), Some(0), "{arguments:?}");
        let said = text(&output.stderr);
        assert!(said.contains(told), "{arguments:?}: {said}");
    }
}

/// One slide, as an office writes it in plain text.
const SLIDES: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
  xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"
  xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
  xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"
  office:version="1.2" office:mimetype="application/vnd.oasis.opendocument.presentation">
  <office:body><office:presentation><draw:page draw:name="one">
    <draw:frame svg:width="20cm" svg:height="3cm" svg:x="2cm" svg:y="2cm"><draw:text-box>
      <text:p>The abutment settles</text:p>
    </draw:text-box></draw:frame>
  </draw:page></office:presentation></office:body>
</office:document>
"#;
