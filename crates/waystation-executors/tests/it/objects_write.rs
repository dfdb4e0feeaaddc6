//! `objects.write` into a folder.

use serde_json::{Value, json};
use waystation_core::failure::ErrorKind;

use crate::workbench::{build, once};

#[tokio::test]
async fn texts_files_and_params_are_written_below_the_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("in.bin");
    std::fs::write(&file, [0, 1, 2]).expect("written");
    let url = format!("file://{}/out/deep", folder.path().display());
    let params = json!({ "name": "a.pdf", "text": "Dear Sir", "path": file, "n": { "x": 1 } });
    for (settings, key, expected) in [
        (json!({ "key": "t/{stem}.txt", "text": "text" }), "t/a.txt", b"Dear Sir".to_vec()),
        (json!({ "key": "{name}", "file": "path" }), "a.pdf", vec![0, 1, 2]),
        (json!({ "key": "{job_id}.json", "text": "n" }), "job-1.json", b"{\"x\":1}".to_vec()),
        (
            json!({ "key": "all.json" }),
            "all.json",
            (serde_json::to_string_pretty(&params).expect("JSON") + "\n").into_bytes(),
        ),
    ] {
        let mut settings = settings;
        settings["url"] = json!(url);
        for _ in 0..2 {
            let given = once("objects.write", settings.clone(), params.clone()).await;
            assert_eq!(given.expect("written"), json!({ "written": format!("{url}/{key}") }));
        }
        let there = std::fs::read(folder.path().join("out/deep").join(key)).expect("there");
        assert_eq!(there, expected);
    }
}

#[tokio::test]
async fn other_objects_are_left_alone_unless_it_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("file://{}", folder.path().display());
    let settings = json!({ "url": url, "key": "a", "text": "text" });
    let write = async |settings: &Value, text: &str| {
        once("objects.write", settings.clone(), json!({ "text": text })).await
    };
    write(&settings, "one").await.expect("new");
    let failure = write(&settings, "two").await.expect_err("there");
    assert!(failure.message.contains("exists with other content (hint: `overwrite"), "{failure}");
    assert_eq!(failure.kind, ErrorKind::Permanent);
    let mut bold = settings.clone();
    bold["overwrite"] = json!(true);
    write(&bold, "two").await.expect("written over");
    assert_eq!(std::fs::read_to_string(folder.path().join("a")).expect("there"), "two");
}

#[tokio::test]
async fn what_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("file://{}", folder.path().display());
    for (settings, words, kind) in [
        (json!({ "key": "{absent}" }), "needs param `absent`", ErrorKind::MissingParam),
        (json!({ "key": "x/{up}/y" }), "which is no key", ErrorKind::InvalidParam),
        (json!({ "key": "x", "text": "absent" }), "`absent` is absent", ErrorKind::MissingParam),
        (json!({ "key": "x", "file": "path" }), "cannot read /no/such", ErrorKind::NotFound),
        (json!({ "key": "x", "file": "endless" }), "zero is no file", ErrorKind::InvalidParam),
        (
            json!({ "key": "x", "max_bytes": 2 }),
            "more than 2 bytes (hint:",
            ErrorKind::InvalidParam,
        ),
    ] {
        let mut settings = settings;
        settings["url"] = json!(url);
        let params = json!({ "up": "..", "path": "/no/such/file", "endless": "/dev/zero" });
        let failure = once("objects.write", settings, params).await.expect_err(words);
        assert!(failure.message.contains(words), "{failure}");
        assert_eq!(failure.kind, kind);
    }
    let both = json!({ "url": url, "key": "x", "text": "a", "file": "b" });
    let problems = build("objects.write", both).err().expect("two contents");
    assert!(problems[0].contains("leave one out"), "{problems:?}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}
