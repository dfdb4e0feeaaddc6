//! Documents that are broken, or meant to do harm: each fails with its reason, and the next one
//! is read.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use pdf_extract::content::Operation;
use pdf_extract::encryption::crypt_filters::{Aes128CryptFilter, CryptFilter};
use pdf_extract::{EncryptionState, EncryptionVersion, Permissions};
use serde_json::{Value, json};

use super::made::{archive, docx, drawing, pdf, pdf_of, saved, writing, xlsx};
use super::{read, refused};

async fn check(kind: &str, settings: Value, bytes: &[u8], expected: &str) {
    let why = refused(kind, settings, bytes).await;
    assert!(why.contains(expected), "{kind}: {why}, not {expected}");
    let got = read("pdf.text", json!({}), "good.pdf", pdf(&["all is well"])).await.expect("read");
    assert_eq!(got["text"], "all is well");
}

/// A PDF that opens with this password.
fn encrypted(password: &str) -> Vec<u8> {
    let mut document = pdf_of(&[writing("a secret")], &[]);
    let filter: Arc<dyn CryptFilter> = Arc::new(Aes128CryptFilter);
    let version = EncryptionVersion::V4 {
        document: &document,
        encrypt_metadata: true,
        crypt_filters: BTreeMap::from([(b"StdCF".to_vec(), filter)]),
        stream_filter: b"StdCF".to_vec(),
        string_filter: b"StdCF".to_vec(),
        owner_password: "owner",
        user_password: password,
        permissions: Permissions::all(),
    };
    let state = EncryptionState::try_from(version).expect("a state");
    document.encrypt(&state).expect("encrypted");
    saved(document)
}

#[tokio::test]
async fn encrypted_documents_are_refused_unless_they_open_without_a_password() {
    check("pdf.text", json!({}), &encrypted("password"), "encrypted:").await;
    let got = read("pdf.text", json!({}), "a.pdf", encrypted("")).await.expect("read");
    assert_eq!(got["text"], "a secret");
    let mut office = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 E".to_vec();
    office.extend("EncryptedPackage".bytes().flat_map(|byte| [byte, 0]));
    check("docx.text", json!({}), &office, "encrypted:").await;
    check("document.text", json!({}), &office, "encrypted:").await;
}

#[tokio::test]
async fn documents_that_end_too_early_are_refused() {
    let row = "<row r='1'><c r='A1'><v>1</v></c></row>";
    for (kind, bytes) in [
        ("pdf.text", pdf(&["one", "two"])),
        ("docx.text", docx("<w:p><w:r><w:t>one</w:t></w:r></w:p>")),
        ("pptx.text", archive(&[("ppt/presentation.xml", "<p:presentation/>")])),
        ("xlsx.rows", xlsx(row)),
    ] {
        for part in [2, 3] {
            let cut = &bytes[..bytes.len() * (part - 1) / part];
            check(kind, json!({}), cut, "truncated:").await;
            check("document.text", json!({}), cut, "truncated:").await;
        }
    }
    let why = refused("docx.text", json!({}), docx("<w:p><w:r><w:t>one</w:t></w:oops>")).await;
    assert!(why.starts_with("broken: "), "{why}");
}

#[tokio::test]
async fn what_is_not_what_it_is_said_to_be_is_refused() {
    let word = docx("");
    for (kind, bytes, expected) in [
        ("pdf.text", word.as_slice(), "not a PDF: it is a docx"),
        ("docx.text", &pdf(&["a"]), "not a docx: it is a PDF"),
        ("pptx.text", &word, "not a pptx: it is a docx"),
        ("xlsx.rows", b"a,b", "not an xlsx: it is a text"),
        ("csv.rows", &word, "not CSV: it is a docx"),
        ("html.text", b"\x7FELF\0\0", "not HTML: it is of an unknown type"),
        ("document.text", b"\x7FELF\0\0", "not readable: it is of an unknown type"),
        ("document.text", &archive(&[("a.txt", "a")]), "not readable: it is a zip archive"),
        ("document.text", b"caf\xE9", "not UTF-8"),
        ("pdf.text", b"", "empty: it has no bytes"),
        ("csv.rows", b"", "empty: it has no bytes"),
        ("pdf.text", b"%PDF-1.7\nnothing\n%%EOF\n", "broken: "),
        ("xlsx.rows", b"PK\x03\x04 and no more", "truncated: "),
    ] {
        check(kind, json!({}), bytes, expected).await;
    }
}

#[tokio::test]
async fn what_unpacks_to_too_much_is_refused() {
    let blanks = " ".repeat(40 << 20);
    let bomb = docx(&blanks);
    assert!(bomb.len() < 100_000, "it is small: {}", bomb.len());
    let small = json!({ "max_unpacked_bytes": 30 << 20 });
    let expected = "unpacks to more than 31457280 bytes";
    check("docx.text", small.clone(), &bomb, expected).await;
    check("xlsx.rows", small, &xlsx(&blanks), expected).await;
    let entries: Vec<_> = (0..50).map(|number| format!("word/{number}.xml")).collect();
    let mut parts: Vec<_> = entries.iter().map(|name| (name.as_str(), "")).collect();
    parts.push(("word/document.xml", "<w:document/>"));
    let settings = json!({ "max_entries": 50 });
    check("docx.text", settings, &archive(&parts), "more than 50 entries in its archive").await;
    let settings = json!({ "max_bytes": 1000 });
    check("docx.text", settings, &bomb, "too large: it has").await;
}

#[tokio::test]
async fn what_has_too_many_pages_rows_or_words_is_refused() {
    let pages = vec![Vec::new(); 10_001];
    check("pdf.text", json!({}), &saved(pdf_of(&pages, &[])), "more than 2000 pages").await;
    let csv = "a\n".repeat(100);
    check("csv.rows", json!({ "max_rows": 99 }), csv.as_bytes(), "more than 99 rows").await;
    let short = json!({ "max_output_bytes": 150 });
    for (kind, bytes) in [
        ("csv.rows", csv.into_bytes()),
        ("pdf.text", pdf(&[&"x".repeat(100), &"y".repeat(100)])),
        ("docx.text", docx(&format!("<w:t>{}</w:t>", "x".repeat(200)))),
        ("html.text", format!("<p>{}", "x".repeat(200)).into_bytes()),
        ("document.text", "x".repeat(200).into_bytes()),
    ] {
        check(kind, short.clone(), &bytes, "long: what is read of it has more than 150").await;
    }
    let far = "<row r='1'><c r='XFD1'><v>1</v></c></row><row r='1048576'><c r='A1048576'><v>2</v>\
               </c></row>";
    let got = read("xlsx.rows", json!({ "header": false }), "a.xlsx", xlsx(far)).await;
    let rows = got.expect("what lies far apart takes no room")["rows"].clone();
    assert_eq!((&rows[0][16_383], &rows[1]), (&json!(1), &json!([2])));
}

#[tokio::test]
async fn what_eats_time_or_memory_or_holds_itself_is_refused() {
    // Each form draws the next one twice: a thousand million times the last.
    let forms: Vec<Vec<Operation>> = (1..=30)
        .map(|next| if next < 30 { vec![drawing(next), drawing(next)] } else { writing("ha") })
        .collect();
    let laughs = saved(pdf_of(&[vec![drawing(0)]], &forms));
    let settings = json!({ "max_processor_seconds": 1 });
    check("pdf.text", settings, &laughs, "slow: its parser takes more than 1 s").await;
    let own = saved(pdf_of(&[vec![drawing(0)]], &[vec![drawing(0)]]));
    check("pdf.text", json!({}), &own, "nested too deeply").await;
    let blanks = docx(&" ".repeat(400 << 20));
    let settings = json!({ "max_memory_bytes": 300 << 20, "max_unpacked_bytes": 1_u64 << 40 });
    check("docx.text", settings, &blanks, "more than 314572800 bytes of memory").await;
}

#[tokio::test]
async fn pages_that_nest_without_end_are_read_or_refused() {
    let mut page = String::new();
    for _ in 0..5_000 {
        page.write_str("<div>").expect("written");
    }
    page.push_str("deep");
    let got = read("html.text", json!({}), "a.html", page).await.expect("read");
    assert_eq!(got["text"], "deep");
    let nested = format!("{}deep", "<w:p>".repeat(100_000));
    let why = refused("docx.text", json!({}), docx(&nested)).await;
    assert!(why.starts_with("broken: "), "{why}");
}
