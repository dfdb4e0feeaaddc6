//! `fields.map` and `fields.select`, by themselves and in a pipeline of ContentFlow.

use serde_json::{Value, json};
use waystation_core::failure::ErrorKind;
use waystation_core::pipeline::{ParamsMode, Pipeline, Stage};
use waystation_executors::Executors;

use crate::workbench::{Bench, object, once};

/// What a stage gives whose output replaces the params.
async fn replaced(kind: &str, settings: Value, params: Value) -> Value {
    let stage = Stage {
        settings: object(settings),
        params: ParamsMode::Replace,
        ..Stage::new("stage", kind)
    };
    let built = waystation_core::pipeline::Catalog::build(&Executors::standard(), &stage);
    let Ok(waystation_core::pipeline::Executor::Worker(handler)) = built else {
        panic!("no worker of {:?}", stage.settings);
    };
    json!(Bench::new().run(&*handler, params).await.expect("done").output)
}

#[tokio::test]
async fn fields_are_set_copied_and_made_of_templates() {
    let settings = json!({ "fields": {
        "size": "{page.corners}", "title": "{name} ({page.n})", "fixed": 7,
        "meta.tags": ["scan", "{name}"], "page.n": 2, "raw": "{{name}}",
    } });
    let params = json!({ "name": "a", "page": { "n": 1, "corners": [1, 2] } });
    assert_eq!(
        once("fields.map", settings, params).await.expect("mapped"),
        json!({
            "size": [1, 2], "title": "a (1)", "fixed": 7, "meta": { "tags": ["scan", "a"] },
            "page": { "n": 2, "corners": [1, 2] }, "raw": "{name}",
        })
    );
}

#[tokio::test]
async fn fields_change_their_names_and_are_dropped_where_the_params_are_replaced() {
    let settings = json!({
        "rename": { "a": "b", "b": "a", "page.n": "number" }, "drop": ["secret", "page.old"],
        "fields": { "old_a": "{a}" },
    });
    let params = json!({ "a": 1, "b": 2, "secret": 3, "page": { "n": 4, "old": 5, "kept": 6 } });
    assert_eq!(
        replaced("fields.map", settings, params.clone()).await,
        json!({ "page": { "kept": 6 }, "b": 1, "a": 2, "number": 4, "old_a": 1 })
    );
    let keep = json!({ "keep": ["a", "page.n", "absent"], "optional": true });
    assert_eq!(
        replaced("fields.select", keep, params.clone()).await,
        json!({ "a": 1, "page": { "n": 4 } })
    );
    assert_eq!(
        replaced("fields.select", json!({ "drop": ["page", "b", "absent"] }), params).await,
        json!({ "a": 1, "secret": 3 })
    );
}

#[tokio::test]
async fn fields_that_are_absent_or_in_the_way_are_named() {
    let map = |field: &str, value: &str| json!({ "fields": { field: value } });
    for (settings, words, kind) in [
        (map("x", "{absent}"), "field `x` needs param `absent`", ErrorKind::MissingParam),
        (map("x", "a {o.q}"), "field `x` needs param `o.q`", ErrorKind::MissingParam),
        (map("n.x", "{o}"), "`n` is a number, which has no field `x`", ErrorKind::InvalidParam),
    ] {
        let params = json!({ "n": 1, "o": {} });
        let failure = once("fields.map", settings, params).await.expect_err(words);
        assert!(failure.message.contains(words), "{failure}");
        assert_eq!(failure.kind, kind);
    }
    let settings = json!({ "fields": { "x": "{absent}", "y": ["{absent}", 1] }, "optional": true });
    let given = once("fields.map", settings, json!({})).await.expect("left out");
    assert_eq!(given, json!({ "y": [1] }));
}

#[test]
fn pipelines_of_contentflow_have_their_chunks_languages_and_fields_here() {
    let text = r#"
pipeline:
  name: theirs
  executors:
    - id: chunk
      type: recursive_text_chunker
      settings: { input_field: pdf_output.text, chunk_size: 800, chunk_overlap: 80,
        length_function: words, output_field: pieces }
    - { id: language, type: language_detector, settings: { input_field: text } }
    - id: map
      type: field_mapper
      settings: { mappings: '{"data.customer.name": "customer"}' }
    - { id: pick, type: field_selector, settings: { fields: '["customer", "pieces"]' } }
    - { id: end, type: fan_in_aggregator }
  execution_sequence: [chunk, language, map, pick, end]
"#;
    let load = |text: &str| {
        let loaded = Pipeline::load("p.yaml", text, &|_: &str| None, &Executors::standard());
        loaded.unwrap_or_else(|problems| panic!("{problems}\n{text}"))
    };
    let theirs = load(text);
    let executors = Executors::standard();
    let converted = waystation_core::pipeline::convert("p.yaml", text, None, &executors);
    let converted = converted.expect("converted");
    assert!(!converted.has_gaps(), "{:?}", converted.remarks);
    let settings = |pipeline: &Pipeline| {
        let stages = pipeline.stages.iter();
        json!(stages.map(|stage| (&stage.kind, &stage.settings)).collect::<Vec<_>>())
    };
    assert_eq!(settings(&theirs), settings(&load(&converted.text)));
    assert_eq!(theirs.stages[3].params, ParamsMode::Replace);
    assert_eq!(settings(&theirs)[2][1]["fields"], json!({ "customer": "{customer.name}" }));
}
