//! The image stages on what is no photo, and on corners that cannot be. How well pages are found
//! is measured where the photos are made, in the demo.

use image::{Rgb, RgbImage};
use serde_json::{Value, json};
use waystation_core::failure::ErrorKind;
use waystation_core::id::Label;

use crate::workbench::{Bench, once, worker};

#[tokio::test]
async fn what_is_no_photo_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = folder.path().join("letter.jpg");
    std::fs::write(&text, "dear all").expect("written");
    let settings = json!({ "folder": folder.path() });
    let cases = [
        (json!({ "path": text }), ErrorKind::InvalidParam, "letter.jpg is no photo"),
        (json!({ "path": "/no/photo.png" }), ErrorKind::NotFound, "photo /no/photo.png"),
        (json!({ "path": 3 }), ErrorKind::InvalidParam, "must name a photo, not 3"),
        (json!({}), ErrorKind::MissingParam, "param `path`"),
    ];
    for (params, kind, part) in cases {
        let failure = once("image.rectify", settings.clone(), params).await.expect_err(part);
        assert_eq!(failure.kind, kind, "{failure}");
        assert!(failure.message.contains(part), "{failure}");
    }
}

#[tokio::test]
async fn photo_without_a_page_is_ko_and_corners_help() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("grey.png");
    RgbImage::from_pixel(640, 480, Rgb([128; 3])).save(&path).expect("saved");
    let settings = json!({ "folder": folder.path().join("out") });
    let bench = Bench::new();
    let rectify = worker("image.rectify", settings.clone());
    let done = bench.run(&*rectify, json!({ "path": path })).await.expect("completed");
    assert_eq!(done.label, Label::from("ko"));
    assert!(done.output["reason"].is_string());
    let warp = async |corners: Value| {
        once("image.warp", settings.clone(), json!({ "path": path, "corners": corners })).await
    };
    let good = warp(json!([[10, 10], [200, 12], [205, 300], [8, 290]])).await.expect("warped");
    let page = image::open(good["page"].as_str().expect("a path")).expect("a picture");
    assert!(page.width() > 150 && page.height() > 250);
    for (corners, part) in [
        (json!([[0, 0], [1, 1]]), "must be four corners"),
        (json!([[0, 0], [100, 0], [200, 0], [300, 0]]), "does not point outwards"),
        (json!([[0, 0], [9000, 0], [9000, 90], [0, 90]]), "far outside the photo of 640 x 480"),
        (Value::Null, "must be four corners"),
        (json!([[1, 1], [40, 1], [40, 40], [1, 40]]), "too few for a page"),
    ] {
        let reason = warp(corners).await.expect("completed as ko");
        assert!(reason["reason"].as_str().expect("why").contains(part), "{reason}");
    }
}
