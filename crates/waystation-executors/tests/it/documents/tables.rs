//! Rows of CSV and of sheets.

use serde_json::json;
use waystation_core::pipeline::{Pipeline, convert};
use waystation_executors::Executors;

use super::made::xlsx;
use super::{read, refused};

#[tokio::test]
async fn rows_of_csv_are_objects_or_lists() {
    let text = "\u{feff}name,size,\n\"Ann, B\",1,x\n\nBo,2,\n";
    let got = read("csv.rows", json!({}), "a.csv", text).await.expect("read");
    let rows = json!([
        { "name": "Ann, B", "size": "1", "column_3": "x" },
        { "name": "Bo", "size": "2", "column_3": "" },
    ]);
    assert_eq!(got["rows"], rows);
    let columns = ["name", "size", "column_3"];
    let expected = json!({ "type": "csv", "rows": 2, "columns": columns, "bytes": text.len() });
    assert_eq!(got["document"], expected);
    let settings = json!({ "separator": "\t", "header": false, "output": "all", "ragged": true,
                           "encoding": "windows-1252" });
    let got = read("csv.rows", settings, "a.tsv", b"caf\xE9\t2\n3\n").await.expect("read");
    assert_eq!(got["all"], json!([["café", "2"], ["3"]]));
    let why = refused("csv.rows", json!({}), "a,b\n1\n").await;
    assert!(why.starts_with("broken: ") && why.contains("1 fields"), "{why}");
    let why = refused("csv.rows", json!({}), b"caf\xE9").await;
    assert!(why.starts_with("not UTF-8") && why.contains("`encoding`"), "{why}");
}

#[tokio::test]
async fn cells_are_what_they_are() {
    let data = "<row r='2'><c r='A2' t='inlineStr'><is><t>n</t></is></c>\
                <c r='C2' t='inlineStr'><is><t>n</t></is></c></row>\
                <row r='4'><c r='A4'><v>3</v></c><c r='B4' t='b'><v>1</v></c>\
                <c r='C4'><v>2.5</v></c>\
                <c r='D4' t='e'><v>#DIV/0!</v></c></row>\
                <row r='5'><c r='B5'/></row>";
    let got = read("xlsx.rows", json!({}), "a.xlsx", xlsx(data)).await.expect("read");
    let row = json!({ "n": 3, "column_2": true, "n_2": 2.5, "column_4": "#DIV/0!" });
    assert_eq!(got["rows"], json!([row]));
    assert_eq!(got["document"]["sheets"], json!(["One"]));
    let got = read("document.text", json!({}), "a.xlsx", xlsx(data)).await.expect("read");
    assert_eq!(got["text"], "One\nn\t\tn\n3\ttrue\t2.5\t#DIV/0!");
    let why = refused("xlsx.rows", json!({ "sheet": "Two" }), xlsx(data)).await;
    assert_eq!(why, "no sheet `Two`: it has `One`");
}

/// Files of `ContentFlow` run as they are: its extractors become what ours are told.
#[tokio::test]
async fn extractors_of_contentflow_read_documents() {
    let catalog = Executors::standard();
    let load = |kind: &str, settings: &str| {
        let text = format!(
            "name: p\nexecutors: [{{ id: x, type: {kind}_extractor, settings: {settings} }}]\n"
        );
        let converted = convert("theirs.yaml", &text, None, &catalog).expect("converted");
        assert!(!converted.has_gaps(), "{:?}", converted.remarks);
        let loaded = Pipeline::load("ours.yaml", &converted.text, &|_| None, &catalog);
        loaded.unwrap_or_else(|problems| panic!("{problems}")).stages.remove(0)
    };
    for kind in ["pdf", "word", "powerpoint", "excel"] {
        let stage = load(kind, "{ temp_file_path_field: file, output_field: said }");
        assert_eq!(json!(stage.settings), json!({ "from": "file", "output": "said" }));
    }
    let stage = load("csv", "{ delimiter: ';', has_header: true }");
    let got = read(&stage.kind, json!(stage.settings), "a.csv", "name;size\nAnn;3\n").await;
    let rows = &got.expect("read")["csv_output"];
    assert_eq!(*rows, json!([{ "name": "Ann", "size": "3" }]));
}
