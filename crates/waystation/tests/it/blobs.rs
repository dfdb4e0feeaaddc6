//! What is too large to travel lies apart, under keys of its stage run.

use std::sync::Arc;

use serde_json::{Value, json};
use waystation::core::failure::ErrorKind;
use waystation::core::handler::typed;
use waystation::{App, BlobRef, Context, Failure, Params};

use crate::program::Place;

/// Puts its lines, and names them in the params. The first attempt breaks after that.
async fn write(context: Context, _: Params) -> Result<Value, Failure> {
    let lines: Vec<u32> = (0..100 * context.attempt).collect();
    let blob = context.blobs.put_json("lines.json", &lines).await?;
    if context.attempt == 1 {
        return Err(Failure::transient("after the blob was put"));
    }
    Ok(json!({ "lines": blob }))
}

async fn count(context: Context, params: Params) -> Result<Value, Failure> {
    let blob: BlobRef = serde_json::from_value(params["lines"].clone())?;
    let lines: Vec<u32> = context.blobs.get_json(&blob).await?;
    let copy = context.blobs.put("copy", context.blobs.get(&blob).await?).await?;
    Ok(json!({ "count": lines.len(), "copy": copy }))
}

fn app() -> App {
    let soon = json!({ "retry": { "backoff": "none" } });
    let write = Arc::new(typed(write));
    App::new("lines").handler_with("write", write, soon).stage("count", count).store("memory://")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeated_attempt_overwrites_its_own_blobs() {
    let folder = tempfile::tempdir().expect("a folder");
    let app = app().blobs(&format!("file://{}", folder.path().display()));
    let app = app.open().await.expect("a good pipeline");
    let job = app.submit(json!({})).await.expect("submitted");
    app.run_until_idle().await.expect("it ends");
    let record = app.job(&job).await.expect("it is there");
    assert_eq!(record.failure, None);
    assert_eq!(record.params["count"], 200, "what the second attempt put");
    let key = format!("jobs/{job}/write/1/lines.json");
    assert_eq!(record.params["lines"]["$blob"], *key);
    assert_eq!(record.params["copy"]["$blob"], *format!("jobs/{job}/count/2/copy"));
    let file = std::fs::read(folder.path().join(key)).expect("the blob is a file");
    assert_eq!(record.params["lines"]["bytes"], file.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handler_without_a_place_for_blobs_is_told_how_to_get_one() {
    let app = app().open().await.expect("a good pipeline");
    let job = app.submit(json!({})).await.expect("submitted");
    app.run_until_idle().await.expect("it ends");
    let failure = app.job(&job).await.expect("it is there").failure.expect("it failed");
    assert_eq!(failure.kind, ErrorKind::Permanent);
    assert!(failure.message.contains("(hint: `--blobs URL`, $WAYSTATION_BLOBS"), "{failure}");
}

#[test]
fn bad_places_for_blobs_are_named() {
    let place = Place::with_pipeline("{ name: one, stages: [{ id: a, type: pass }] }");
    for (url, message) in [
        ("blobs", "blobs URL `blobs`: it has no scheme (hint: file://FOLDER)"),
        ("ftp://a", "blobs URL `ftp://a`: unknown scheme (known: file, memory, s3, az, gs)"),
        #[cfg(not(feature = "s3"))]
        ("s3://a", "this build has no s3 (hint: build with `--features s3`)"),
    ] {
        place.run(&["run", "pipeline.yaml", "--until-idle", "--blobs", url]).exits(2).says(message);
        assert!(!place.path("waystation.db").exists(), "{url}");
    }
}
