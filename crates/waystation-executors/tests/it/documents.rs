//! The stages that read documents: good ones, broken ones, and those that are meant to do harm.
//!
//! This program is its own parser: called again with [`parser_process`] as the one test to run.

use std::process::Command;
use std::sync::Once;

use serde_json::{Value, json};
use waystation_core::failure::{ErrorKind, Failure};
use waystation_executors::documents::{parse_by, parse_if_asked};

use crate::workbench::{build, once};

mod hostile;
mod made;
mod office;
mod places;
mod tables;

/// A parser, where a test of these started this program for that.
#[test]
fn parser_process() {
    if std::env::var_os("WAYSTATION_PARSER").is_some() {
        parse_if_asked();
    }
}

/// Has this program called as a parser.
fn parse_here() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let program = std::env::current_exe().expect("this program");
        parse_by(move || {
            let mut command = Command::new(&program);
            command.args(["documents::parser_process", "--exact", "--nocapture"]);
            command
        });
    });
}

/// Reads a document of these bytes, under this name.
async fn read(
    kind: &str,
    settings: Value,
    name: &str,
    bytes: impl AsRef<[u8]>,
) -> Result<Value, Failure> {
    parse_here();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("written");
    once(kind, settings, json!({ "path": path })).await
}

/// Why a document of these bytes is not read.
async fn refused(kind: &str, settings: Value, bytes: impl AsRef<[u8]>) -> String {
    let name = "a document";
    let failure = read(kind, settings, name, bytes).await.expect_err("refused");
    assert_eq!(failure.kind, ErrorKind::Permanent, "{failure}");
    let (_, why) = failure.message.split_once("a document: ").expect("its name");
    why.to_owned()
}

#[tokio::test]
async fn pages_of_the_web_are_texts() {
    let page = "<!doctype html><html><head><title>The  title</title><style>p{}</style></head><body>\
                <h1>Scans</h1><p>One &amp; <b>two</b>,\n three</p><script>alert(1)</script>\
                <ul><li>first<li>second <i>item</i></ul><table><tr><th>a<th>b<tr><td>1<td>2</table>\
                <pre>x\n  y</pre>end</body></html>";
    let got = read("html.text", json!({}), "a.html", page).await.expect("read");
    let text = "Scans\n\nOne & two, three\n\n- first\n- second item\n\na\tb\n1\t2\n\nx\n  y\n\nend";
    assert_eq!(got["text"], text);
    let bytes = page.len();
    assert_eq!(got["document"], json!({ "type": "html", "title": "The title", "bytes": bytes }));
    let latin = b"<meta charset=iso-8859-1><p>caf\xE9";
    let got =
        read("document.text", json!({ "output": "said" }), "a.htm", latin).await.expect("read");
    assert_eq!(got["said"], "café");
    let page = "<?xml version='1.0'?>\n<!-- of old -->\n<html><body><p>one";
    let got = read("document.text", json!({}), "a", page).await.expect("read");
    assert_eq!(got["text"], "one");
    let code = "#include <header.h>\n// makes a <body> of it\n";
    let got = read("document.text", json!({}), "a.c", code).await.expect("read");
    assert_eq!(got["text"], code);
}

#[tokio::test]
async fn texts_are_what_their_name_or_media_type_says() {
    parse_here();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("note");
    std::fs::write(&path, "\u{feff}<p>one</p>\r\n").expect("written");
    for (params, expected) in [
        (json!({}), "<p>one</p>\n"),
        (json!({ "media_type": "text/html; charset=utf-8" }), "one"),
        (json!({ "name": "note.htm" }), "one"),
        (json!({ "name": "note.htm", "media_type": "text/plain" }), "<p>one</p>\n"),
    ] {
        let mut given = params.clone();
        given["path"] = json!(path);
        let got = once("document.text", json!({}), given).await.expect("read");
        assert_eq!(got["text"], expected, "{params}");
    }
}

#[test]
fn settings_that_cannot_be_are_told() {
    for (kind, settings, expected) in [
        ("pdf.text", json!({ "max_pages": 0 }), "`max_pages` must be a whole number of at least 1"),
        ("docx.text", json!({ "pages": true }), "unknown setting `pages`"),
        ("csv.rows", json!({ "separator": ";;" }), "`separator` must be"),
        ("csv.rows", json!({ "encoding": "klingon" }), "must be an encoding, not `klingon`"),
        ("xlsx.rows", json!({ "max_memory_bytes": 1 }), "`max_memory_bytes` must be"),
    ] {
        let problems = build(kind, settings.clone()).err().unwrap_or_default();
        assert_eq!(problems.len(), 1, "{kind} {settings}: {problems:?}");
        assert!(problems[0].contains(expected), "{kind} {settings}: {problems:?}");
    }
}
