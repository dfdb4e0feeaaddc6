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

/// A stage that gives more than a contract may hold, and one that reads it.
fn heavy(offload: bool) -> App {
    async fn scan(_: Context, _: Params) -> Result<Value, Failure> {
        let lines: Vec<String> = (0..20_000).map(|line| format!("line {line}")).collect();
        Ok(json!({ "lines": lines, "good": "x".repeat(40_000) }))
    }
    async fn read(context: Context, params: Params) -> Result<Value, Failure> {
        let seen = params["lines"].as_array().map(Vec::len);
        let sent: Value = serde_json::from_slice(&context.contract)?;
        Ok(json!({ "seen": seen, "sent": sent["params"]["lines"].as_array().map(Vec::len) }))
    }
    let scan = Arc::new(typed(scan));
    let app = App::new("heavy").handler_with("scan", scan, json!({ "offload": offload }));
    let read_stage = json!({ "required_params": ["lines"] });
    app.handler_with("read", Arc::new(typed(read)), read_stage).store("memory://")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_values_travel_as_references_and_are_read_back() {
    let app = heavy(true).blobs("memory://").open().await.expect("a good pipeline");
    let job = app.submit(json!({})).await.expect("submitted");
    app.run_until_idle().await.expect("it ends");
    let record = app.job(&job).await.expect("it is there");
    assert_eq!((record.failure.as_ref(), &record.params["seen"]), (None, &json!(20_000)));
    assert_eq!(record.params["sent"], 20_000, "programs that get the contract see the value, too");
    let key = format!("jobs/{job}/scan/1/$params/lines");
    let reference = json!({ "$blob": key, "bytes": 248_891, "offloaded": true });
    assert_eq!(record.params["lines"], reference);
    let whole = app.client().whole_params(&record).await.expect("the blobs are there");
    assert_eq!(whole["lines"][19_999], "line 19999");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_is_refused_with_a_hint() {
    let app = heavy(false).open().await.expect("a good pipeline");
    let job = app.submit(json!({})).await.expect("submitted");
    app.run_until_idle().await.expect("it ends");
    let failure = app.job(&job).await.expect("it is there").failure.expect("it failed");
    assert!(failure.message.contains("hint: `offload: true` at the stage"), "{failure}");
    let submitted = app.submit(json!({ "lines": "x".repeat(300_000) })).await;
    let error = submitted.expect_err("too large").to_string();
    assert!(error.contains("(hint: put large values into files or blobs"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offloading_without_a_place_for_blobs_is_refused_at_the_start() {
    let app = heavy(true).open().await.expect("a good pipeline");
    let error = app.run_until_idle().await.expect_err("nowhere to go").to_string();
    assert!(error.contains("stage `scan` offloads values, but blobs have no place"), "{error}");
}
