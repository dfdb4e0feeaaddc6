//! Pipeline files of ContentFlow, run as they are and converted.

use serde_json::{Value, json};

use crate::program::Place;

/// A diamond of programs, one of which fails, one of which is off, and one of which is for some
/// jobs alone.
const THEIRS: &str = r#"
pipeline:
  name: theirs
  executors:
    - { id: start, type: pass_through, debug_mode: true }
    - id: text
      type: exec
      settings: { command: "echo '{\"text\":\"${GREETING}\"}'", debug_mode: true }
    - id: breaks
      type: exec
      settings: { command: "exit 3", fail_pipeline_on_error: false }
    - { id: off, type: exec, settings: { command: "exit 3", enabled: false } }
    - id: long
      type: exec
      settings:
        command: "echo '{\"is_long\":true}'"
        condition: "data.pages > 10 and kind == 'pdf'"
    - { id: end, type: fan_in_aggregator }
  edges:
    - { from: start, to: text }
    - { from: start, to: breaks, type: sequential }
    - { from: text, to: off }
    - { from: breaks, to: long }
    - { from: [off, long], to: end, type: join }
"#;

fn ends(place: &Place, file: &str, params: &Value) -> Value {
    let params = params.to_string();
    let job = place.run(&["submit", file, "--params", &params]).exits(0).word();
    place.run(&["run", file, "--until-idle"]).exits(0);
    place.show(&job)["job"].clone()
}

#[test]
fn files_of_theirs_run_as_they_are_and_converted() {
    let place = Place::new();
    place.write("theirs.yaml", THEIRS);
    place.write(".env", "GREETING=hello\n");
    let converted = place.run(&["pipelines", "convert", "theirs.yaml", "-o", "ours.yaml"]);
    converted.exits(0).says("wrote ours.yaml");
    let ours = std::fs::read_to_string(place.path("ours.yaml")).expect("written");
    assert!(ours.contains("${GREETING}") && ours.contains("on_failure: pass"), "{ours}");
    for file in ["theirs.yaml", "ours.yaml"] {
        place.run(&["pipelines", "check", file]).exits(0);
        for (pages, is_long) in [(3, None), (11, Some(true))] {
            let job = ends(&place, file, &json!({ "pages": pages, "kind": "pdf" }));
            assert_eq!(job["state"], "completed", "{job}");
            let mut expected = json!({ "pages": pages, "kind": "pdf", "text": "hello" });
            if let Some(is_long) = is_long {
                expected["is_long"] = json!(is_long);
            }
            assert_eq!(job["params"], expected, "{file}");
        }
    }
}

/// The failure that the job went on from is told, and so is the stage that it passed by.
#[test]
fn what_was_passed_over_stands_in_the_jobs_events() {
    let text = "name: p\nstages:\n  - { id: breaks, type: exec, settings: { command: 'exit 3' }, \
                on_failure: pass }\n  - { id: never, type: exec, settings: { command: 'exit 3' }, \
                when: 'pages > 3' }\n";
    let place = Place::with_pipeline(text);
    let job =
        place.run(&["submit", "pipeline.yaml", "--params", r#"{"pages": 1}"#]).exits(0).word();
    place.run(&["run", "pipeline.yaml", "--until-idle"]).exits(0);
    let shown = place.show(&job);
    assert_eq!(
        (&shown["job"]["state"], &shown["job"]["stage"]),
        (&json!("completed"), &json!("never"))
    );
    let events = shown["events"].as_array().expect("events");
    let event = |kind: &str, stage: &str| {
        let mut found = events.iter().filter(|one| one["kind"] == kind && one["stage"] == stage);
        found.next().unwrap_or_else(|| panic!("{kind} at {stage}: {events:#?}")).clone()
    };
    let failure = &event("completed", "breaks")["detail"]["failure"];
    assert!(failure["message"].as_str().is_some_and(|text| text.contains('3')), "{failure}");
    assert_eq!(event("skipped", "never")["detail"]["when"], "pages > 3");
}

#[test]
fn what_has_no_counterpart_is_refused_to_run_and_told_when_it_is_converted() {
    let text = "pipelines:\n  - name: a\n    executors: [{ id: x, type: text_summarizer }]\n  \
                - name: b\n    executors: [{ id: y, type: pass_through }]\n";
    let place = Place::with_pipeline(text);
    let convert =
        |name: &str| place.run(&["pipelines", "convert", "pipeline.yaml", "--name", name]);
    place.run(&["pipelines", "convert", "pipeline.yaml"]).exits(2).says("name one of a, b");
    convert("a").exits(1).says("lost: pipeline.yaml:3:17: stage `x`: type `text_summarizer`");
    let b = convert("b").exits(0);
    assert_eq!(b.stdout, "name: b\nstages:\n  - id: y\n    type: pass\n");
    place.write("one.yaml", "executors: [{ id: x, type: text_summarizer }]\nname: a\n");
    place.run(&["run", "one.yaml"]).exits(2).says("has no counterpart").says("pipelines convert");
}

/// The program is its own parser, and what is written for their extractors is what ours are told.
#[cfg(feature = "documents")]
#[test]
fn extractors_of_theirs_read_documents() {
    let place = Place::new();
    place.write("table.csv", "name;size\nAnn;3\n");
    let theirs = |kind: &str, settings: &str| {
        format!("name: p\nexecutors: [{{ id: x, type: {kind}_extractor, settings: {settings} }}]\n")
    };
    for kind in ["pdf", "word", "powerpoint", "excel", "csv"] {
        place.write("theirs.yaml", &theirs(kind, "{ temp_file_path_field: file }"));
        place.run(&["pipelines", "convert", "theirs.yaml", "-o", "ours.yaml"]).exits(0);
        place.run(&["pipelines", "check", "ours.yaml"]).exits(0);
        std::fs::remove_file(place.path("ours.yaml")).expect("removed");
    }
    place.write("theirs.yaml", &theirs("csv", "{ delimiter: ';' }"));
    let path = place.path("table.csv");
    let job = ends(&place, "theirs.yaml", &json!({ "path": path }));
    assert_eq!(job["state"], "completed", "{job}");
    assert_eq!(job["params"]["csv_output"], json!([{ "name": "Ann", "size": "3" }]));
}
