//! Documents as an office writes them: made by `LibreOffice` from texts.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::{parse_here, read};
use crate::workbench::once;

/// Has an office write a text as something else.
fn convert(folder: &Path, arguments: &[&str], name: &str) {
    let profile = format!("-env:UserInstallation=file://{}/profile", folder.display());
    let mut command = Command::new("soffice");
    command.current_dir(folder).args(["--headless", "--norestore", &profile]);
    let output = command.args(arguments).arg(name).output().expect("soffice is on PATH");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("using filter"), "{said} {}", String::from_utf8_lossy(&output.stderr));
}

const LETTER: &str = "<html><head><title>The letter</title></head><body><h1>Dear Ann</h1>\
    <p>Scans arrived &amp; were <b>read</b>: 100&nbsp;%, café, Ωmega.</p>\
    <table><tr><td>size</td><td>12</td></tr><tr><td>pages</td><td>3</td></tr></table>\
    <p style='page-break-before: always'>The second page.</p></body></html>";

#[tokio::test]
#[ignore = "needs soffice (Debian: apt-get install libreoffice-writer-nogui)"]
async fn letters_of_soffice_are_read() {
    parse_here();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("letter.html"), LETTER).expect("written");
    let (filter, to) = ("--infilter=HTML (StarWriter)", "docx:MS Word 2007 XML");
    convert(folder.path(), &[filter, "--convert-to", to], "letter.html");
    convert(folder.path(), &["--convert-to", "pdf"], "letter.docx");
    let path = |name: &str| json!({ "path": folder.path().join(name) });
    let words = ["Dear Ann", "Scans arrived & were read: 100\u{a0}%, café, Ωmega."];
    let got = once("docx.text", json!({}), path("letter.docx")).await.expect("read");
    let text = got["text"].as_str().expect("a text");
    for part in words.iter().chain(&["size\t12\npages\t3", "The second page."]) {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(got["document"]["title"], "The letter");
    let got = once("document.text", json!({}), path("letter.docx")).await.expect("read");
    assert_eq!(got["text"], text);
    let got = once("pdf.text", json!({ "pages": true }), path("letter.pdf")).await.expect("read");
    let pages = got["text"].as_array().expect("pages");
    let first = pages[0].as_str().expect("a text").replace('\u{a0}', " ");
    for part in words {
        assert!(first.contains(&part.replace('\u{a0}', " ")), "{part}: {first}");
    }
    assert_eq!(pages[1..], [json!("The second page.")]);
    let about = &got["document"];
    assert_eq!((&about["pages"], &about["title"]), (&json!(2), &json!("The letter")));
}

const TALK: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"
 xmlns:presentation="urn:oasis:names:tc:opendocument:xmlns:presentation:1.0"
 xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"
 xmlns:dc="http://purl.org/dc/elements/1.1/" office:version="1.2"
 office:mimetype="application/vnd.oasis.opendocument.presentation">
<office:meta><dc:title>The talk</dc:title></office:meta><office:body><office:presentation>
<draw:page draw:name="one">
 <draw:frame svg:x="1cm" svg:y="1cm" svg:width="20cm" svg:height="3cm"><draw:text-box>
  <text:p>First slide</text:p><text:p>of &lt;two&gt;</text:p></draw:text-box></draw:frame>
 <presentation:notes><draw:frame presentation:class="notes" svg:x="1cm" svg:y="10cm"
  svg:width="20cm" svg:height="3cm"><draw:text-box><text:p>Say hello</text:p></draw:text-box>
 </draw:frame></presentation:notes></draw:page>
<draw:page draw:name="two">
 <draw:frame svg:x="1cm" svg:y="1cm" svg:width="20cm" svg:height="3cm"><draw:text-box>
  <text:p>Second slide</text:p></draw:text-box></draw:frame></draw:page>
</office:presentation></office:body></office:document>"#;

#[tokio::test]
#[ignore = "needs soffice (Debian: apt-get install libreoffice-impress-nogui)"]
async fn slides_of_soffice_are_read() {
    parse_here();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("talk.fodp"), TALK).expect("written");
    convert(folder.path(), &["--convert-to", "pptx"], "talk.fodp");
    let path = json!({ "path": folder.path().join("talk.pptx") });
    for (settings, expected) in [
        (json!({}), json!("First slide\nof <two>\n\nSecond slide")),
        (json!({ "pages": true }), json!(["First slide\nof <two>", "Second slide"])),
        (
            json!({ "pages": true, "notes": true }),
            json!(["First slide\nof <two>\nSay hello", "Second slide"]),
        ),
    ] {
        let got = once("pptx.text", settings.clone(), path.clone()).await.expect("read");
        assert_eq!(got["text"], expected, "{settings}");
        assert_eq!(got["document"]["pages"], 2);
    }
    let bytes = std::fs::read(folder.path().join("talk.pptx")).expect("readable");
    let got = read("document.text", json!({}), "renamed.pdf", &bytes).await.expect("read");
    assert_eq!(got["text"], "First slide\nof <two>\n\nSecond slide");
    let settings = json!({ "max_pages": 1 });
    let failure = read("pptx.text", settings, "a.pptx", &bytes).await.expect_err("too many");
    assert!(failure.message.contains("more than 1 slides"), "{failure}");
}

#[tokio::test]
#[ignore = "needs soffice (Debian: apt-get install libreoffice-calc-nogui)"]
async fn sheets_of_soffice_are_read() {
    parse_here();
    let folder = tempfile::tempdir().expect("a folder");
    let table = "name,size,day,ratio\n\"Ann, B\",12,2026-11-23,0.5\nBo,,2026-01-02,1\n";
    std::fs::write(folder.path().join("table.csv"), table).expect("written");
    convert(folder.path(), &["--convert-to", "xlsx"], "table.csv");
    let path = json!({ "path": folder.path().join("table.xlsx") });
    let got = once("xlsx.rows", json!({}), path.clone()).await.expect("read");
    let expected = json!([
        { "name": "Ann, B", "size": 12, "day": "2026-11-23", "ratio": 0.5 },
        { "name": "Bo", "size": null, "day": "2026-01-02", "ratio": 1 },
    ]);
    assert_eq!(got["rows"], expected);
    assert_eq!(got["document"]["sheets"], json!(["table"]));
    let lists = once("xlsx.rows", json!({ "header": false, "sheet": "table" }), path).await;
    let first = lists.expect("read")["rows"][0].clone();
    assert_eq!(first, json!(["name", "size", "day", "ratio"]));
}
