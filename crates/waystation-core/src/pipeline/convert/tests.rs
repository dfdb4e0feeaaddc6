//! Files of theirs, read and written.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::convert;
use crate::failure::Failure;
use crate::pipeline::{
    Catalog, Executor, Join, OnStageFailure, ParamsMode, Pipeline, Problems, Stage, StageKind,
};
use crate::source::{Discovery, Source};

/// Knows what stands for their executors here.
struct Ours;

struct Nothing;

#[async_trait::async_trait]
impl Source for Nothing {
    async fn discover(&self, _: Option<Value>) -> Result<Discovery, Failure> {
        Ok(Discovery::default())
    }
}

const TYPES: [&str; 8] = [
    "fields.map",
    "fields.select",
    "pass",
    "pdf.text",
    "pipeline",
    "text.chunk",
    "csv.rows",
    "own_executor",
];

impl Catalog for Ours {
    fn kind(&self, stage_type: &str) -> Option<StageKind> {
        match stage_type {
            "objects" => Some(StageKind::Source),
            "remote" => Some(StageKind::Remote),
            other => TYPES.contains(&other).then_some(StageKind::Worker),
        }
    }

    fn names(&self) -> Vec<String> {
        TYPES.map(str::to_owned).to_vec()
    }

    fn build(&self, stage: &Stage) -> Result<Executor, Vec<String>> {
        Ok(match self.kind(&stage.kind) {
            Some(StageKind::Source) => Executor::Source(Arc::new(Nothing)),
            _ => Executor::Remote,
        })
    }
}

fn environment(name: &str) -> Option<String> {
    (name == "CONTAINER").then(|| "papers".to_owned())
}

fn load(text: &str) -> Result<Pipeline, Problems> {
    Pipeline::load("theirs.yaml", text, &environment, &Ours)
}

fn good(text: &str) -> Pipeline {
    load(text).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

/// Everything about a pipeline that says what becomes of its jobs.
fn shape(pipeline: &Pipeline) -> Vec<String> {
    let stages = pipeline.stages.iter().map(|stage| {
        let Stage { id, kind, when, on_failure, join, concurrency, timeout, .. } = stage;
        let settings = json!(stage.settings);
        format!("{id} {kind} {when:?} {on_failure:?} {join:?} {concurrency} {timeout:?} {settings}")
    });
    let routes = pipeline.routes.iter().map(|route| format!("{} {}", route.from, route.describe()));
    stages.chain(routes).collect()
}

fn routes(pipeline: &Pipeline) -> Vec<String> {
    pipeline.routes.iter().map(|route| format!("{} {}", route.from, route.describe())).collect()
}

fn pipeline(executors: &[&str], way: &str) -> String {
    let executor = |id: &&str| format!("    - {{ id: {id}, type: pass_through }}\n");
    let executors: String = executors.iter().map(executor).collect();
    format!("pipeline:\n  name: p\n  executors:\n{executors}{way}\n")
}

#[test]
fn discovery_extraction_and_chunks_run_as_they_are() {
    let text = r#"
pipelines:
  - name: papers
    description: What lies in a container, as chunks.
    executors:
      - id: find
        type: azure_blob_input_discovery
        debug_mode: true
        settings:
          blob_storage_account: archive
          blob_storage_credential_type: default_azure_credential
          blob_container_name: ${CONTAINER}
          file_extensions: ".pdf, .PDF"
          max_depth: 0
          max_results: 50
          min_size_bytes: 1024
          sort_by: last_modified
          sort_ascending: false
          modified_after: "2025-01-01T00:00:00"
          polling_interval_seconds: 60
      - { id: fetch, type: content_retriever, settings: { use_temp_file_for_content: true } }
      - id: extract
        type: pdf_extractor
        settings: { max_concurrent: 5, timeout_secs: 120, extract_pages: true,
          continue_on_error: true }
      - id: chunk
        type: recursive_text_chunker
        settings: { input_field: pdf_output.text, chunk_size: 800, fail_pipeline_on_error: false,
          condition: "data.pdf_output is_not_empty and id.filename ends_with '.pdf'" }
    execution_sequence: [find, fetch, extract, chunk]
"#;
    let pipeline = good(text);
    assert_eq!(routes(&pipeline), ["find to fetch", "fetch to extract", "extract to chunk"]);
    let [find, fetch, extract, chunk] = &pipeline.stages[..] else { panic!("four stages") };
    assert_eq!(find.kind, "objects");
    assert_eq!(
        json!(find.settings),
        json!({
            "sort_ascending": false, "polling_interval_seconds": 60, "url": "az://papers",
            "options": { "azure_storage_account_name": "archive" }, "extensions": ["pdf", "PDF"],
            "max_results": 50, "min_bytes": 1024, "modified_after": "2025-01-01T00:00:00Z",
            "sort_by": "modified",
        })
    );
    assert_eq!((fetch.kind.as_str(), extract.kind.as_str()), ("pass", "pdf.text"));
    assert_eq!((extract.concurrency, extract.timeout.map(|time| time.as_secs())), (5, Some(120)));
    assert_eq!(json!(extract.settings), json!({ "output": "pdf_output" }));
    assert_eq!(json!(chunk.settings), json!({ "text": "pdf_output", "size": 800, "overlap": 200 }));
    assert_eq!(chunk.on_failure, OnStageFailure::Pass);
    let when = chunk.when.as_ref().expect("a condition");
    for (params, expected) in [
        (json!({ "pdf_output": "text", "name": "a.pdf" }), true),
        (json!({ "pdf_output": "", "name": "a.pdf" }), false),
    ] {
        assert_eq!(when.holds(params.as_object().expect("params")).expect("an answer"), expected);
    }
}

#[test]
fn fields_are_chosen_and_named() {
    let text = r#"
pipeline:
  name: p
  executors:
    - { id: map, type: field_mapper, settings: { mappings: '{"customer.name": "name"}' } }
    - { id: pick, type: field_selector, settings: { mode: exclude, fields: '["data.secret"]' } }
    - { id: sub, type: subpipeline, settings: { pipeline: other, max_iterations: 5 } }
"#;
    let pipeline = good(text);
    let settings: Vec<_> = pipeline.stages.iter().map(|stage| json!(stage.settings)).collect();
    let expected = [
        json!({ "optional": true, "fields": { "name": "{customer.name}" } }),
        json!({ "drop": ["secret"] }),
        json!({ "pipeline": "other" }),
    ];
    assert_eq!(settings, expected);
    assert_eq!(pipeline.stages[1].params, ParamsMode::Replace, "or nothing would be dropped");
}

/// Each case: the stages, the way as they write it, the routes here, and the joins.
#[test]
fn edges_lead_where_they_lead_there() {
    let diamond = ["a", "b", "c", "z"];
    for (stages, way, expected, joins) in [
        // There, z runs twice with sequential edges: here it waits for both.
        (
            &diamond[..],
            "  edges: [{from: a, to: b}, {from: a, to: c, type: sequential}, {from: b, to: z}, \
             {from: c, to: z}]",
            &["a to b and c", "b to z", "c to z"][..],
            &["z"][..],
        ),
        (
            &diamond,
            "  edges: [{from: a, to: [b, c], type: parallel}, {from: [b, c], to: z, type: join}]",
            &["a to b and c", "b to z", "c to z"],
            &["z"],
        ),
        // A list without a type, as their samples have it, breaks there.
        (
            &diamond,
            "  edges: [{from: a, to: [b, c]}, {from: b, to: z}, {from: c, to: z}]",
            &["a to b and c", "b to z", "c to z"],
            &["z"],
        ),
        // Conditions choose one.
        (
            &diamond,
            "  edges:\n    - {from: a, to: [{target: b, condition: \"kind == 'pdf'\"}, \
             {target: c}]}\n    - {from: b, to: z}\n    - {from: c, to: z}",
            &["a to b when kind == \"pdf\"", "a to c", "b to z", "c to z"],
            &[],
        ),
        // Edges go before a sequence; who is named nowhere never ran.
        (
            &["a", "b", "c"],
            "  edges: [{from: a, to: b}]\n  execution_sequence: [c, b, a]",
            &["a to b"],
            &[],
        ),
        (&["a", "b", "c"], "  execution_sequence: [c, a]", &["c to a"], &[]),
        // A pair within a branch does not make a join of what follows.
        (
            &["a", "b", "c", "d", "z"],
            "  edges: [{from: a, to: [b, c]}, {from: b, to: d}, {from: c, to: z}, \
             {from: d, to: z}]",
            &["a to b and c", "b to d", "c to z", "d to z"],
            &["z"],
        ),
    ] {
        let text = pipeline(stages, way);
        let read = good(&text);
        assert_eq!(routes(&read), expected, "{text}");
        let found = read.stages.iter().filter(|stage| stage.join == Some(Join::default()));
        assert_eq!(found.map(|stage| stage.id.as_str()).collect::<Vec<_>>(), joins, "{text}");
        let converted = convert("theirs.yaml", &text, None, &Ours).expect("converted");
        assert!(!converted.has_gaps(), "{:?}", converted.remarks);
        assert_eq!(shape(&good(&converted.text)), shape(&read), "{}", converted.text);
    }
}

/// There, a disabled executor in the middle cuts off all that follows.
#[test]
fn disabled_executors_are_passed_by() {
    let text = "pipeline:\n  name: p\n  executors:\n    - { id: a, type: pass_through }\n    \
                - { id: b, type: pdf_extractor, settings: { enabled: false, pages: 3 } }\n    \
                - { id: c, type: pass_through }\n  execution_sequence: [a, b, c]\n";
    let refused = load(text).expect_err("its settings are wrong").to_string();
    assert!(refused.contains("setting `pages` (3) has no counterpart"), "{refused}");
    let pipeline = good(&text.replace(", pages: 3", ""));
    assert_eq!(routes(&pipeline), ["a to b", "b to c"]);
    assert_eq!(pipeline.stages[1].kind, "pass");
    assert!(pipeline.stages[1].settings.is_empty());
}

#[test]
fn what_has_no_counterpart_is_told_and_written_as_a_comment() {
    let text = r#"
pipeline:
  name: p
  tags: [a]
  executors:
    - { id: sum, type: text_summarizer, settings: { endpoint: "${AI}", max_tokens: 5 } }
    - id: pdf
      type: pdf_extractor
      settings: { extract_images: true, condition: "a.get('x') == 1" }
    - { id: never, type: pass_through }
  execution_sequence: [pdf, sum]
"#;
    let refused = load(&text.replace("${AI}", "x")).expect_err("gaps").to_string();
    for part in [
        "theirs.yaml:6:7: stage `sum`: type `text_summarizer` has no counterpart: a stage of type \
         `llm`",
        "stage `pdf`: `extract_images` cannot be true here",
        "stage `pdf`: `a.get('x') == 1` is no condition: an operator is due, not `(`",
        "unknown key `tags` of the pipeline",
        "`waystation pipelines convert FILE` writes the file in our form",
    ] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    let converted = convert("theirs.yaml", text, None, &Ours).expect("converted");
    assert!(converted.has_gaps());
    assert_eq!(converted.name.as_deref(), Some("p"));
    for part in [
        "# `tags` ([\"a\"]) has no counterpart\n",
        "# stage `never`: nothing leads to it: it is left out, as it never ran\n",
        "  # type `text_summarizer` has no counterpart",
        "\"endpoint\":\"${AI}\"",
        "  - id: sum\n    type: remote\n",
        "  # `extract_images` cannot be true here\n",
    ] {
        assert!(converted.text.contains(part), "{part}: {}", converted.text);
    }
    let read = good(&converted.text);
    assert_eq!(routes(&read), ["pdf to sum"]);
}

#[test]
fn one_of_several_pipelines_is_named() {
    let text = "pipelines:\n  - { name: a, executors: [{ id: x, type: pass_through }] }\n  \
                - { name: b, executors: [{ id: y, type: ${TYPE} }] }\n";
    let refused = load(&text.replace("${TYPE}", "x")).expect_err("two").to_string();
    assert!(refused.contains("convert FILE --name NAME"), "{refused}");
    let problem = |name| convert("f", text, name, &Ours).expect_err("which?").to_string();
    assert!(problem(None).contains("name one of a, b"));
    assert!(problem(Some("c")).contains("there is no pipeline `c` (there are: a, b)"));
    let converted = convert("f", text, Some("b"), &Ours).expect("the second one");
    // Placeholders stay, and mean what they meant.
    assert_eq!(converted.text, "name: b\nstages:\n  - id: y\n    type: ${TYPE}\n");
}

/// Their sample of it asks a condition that they refuse themselves.
#[test]
fn condition_that_is_none_is_left_to_somebody() {
    let way = "  edges:\n    - from: a\n      to:\n        - { target: b, condition: \
               \"x.get('y') == 1\" }\n        - { target: c, condition: \"x.get('y') == 2\" }";
    let text = pipeline(&["a", "b", "c"], way);
    let refused = load(&text).expect_err("no conditions").to_string();
    assert!(refused.contains("`x.get('y') == 1` is no condition (an operator is due"), "{refused}");
    let converted = convert("theirs.yaml", &text, None, &Ours).expect("converted");
    assert!(converted.has_gaps());
    let read = good(&converted.text);
    let first = routes(&read).remove(0);
    assert!(first.starts_with("a to b when condition_10_"), "{first}");
    let unknown = text.replace("id: b, type: pass_through", "id: b, type: custom_ai_prompt");
    let converted = convert("theirs.yaml", &unknown, None, &Ours).expect("converted");
    let message = "# type `custom_ai_prompt` is known neither there nor here";
    assert!(converted.text.contains(message), "{}", converted.text);
}

#[test]
fn counterpart_that_a_build_lacks_is_lost() {
    let text = "pipeline: { name: p, executors: [{ id: a, type: word_extractor }] }";
    let converted = convert("theirs.yaml", text, None, &Ours).expect("converted");
    assert!(converted.has_gaps());
    let message = "# type `word_extractor` is `docx.text` here, which this build lacks";
    assert!(converted.text.contains(message), "{}", converted.text);
}

/// The user's own code goes before what stands for theirs.
#[test]
fn known_types_keep_their_names() {
    let text =
        "pipeline: { name: p, executors: [{ id: a, type: own_executor, settings: { b: 1 } }] }";
    let pipeline = good(text);
    assert_eq!(pipeline.stages[0].kind, "own_executor");
    assert_eq!(json!(pipeline.stages[0].settings), json!({ "b": 1 }));
}

/// Pipelines of theirs: executors with what every executor has, and forward edges of every kind.
fn theirs() -> impl Strategy<Value = String> {
    let settings = prop::sample::select(vec![
        "{}",
        "{ enabled: false }",
        "{ fail_pipeline_on_error: false }",
        "{ condition: \"data.kind in ['a', 'b c'] or pages > 3\" }",
        "{ condition: \"summary_data.x[0].y is_empty\", max_concurrent: 7, debug_mode: true }",
        "{ timeout_secs: 2.5 }",
    ]);
    let types = prop::sample::select(vec!["pass_through", "fan_in_aggregator", "pdf_extractor"]);
    let executors = prop::collection::vec((types, settings), 1..7);
    let edges = prop::collection::vec((0..6_usize, 1..6_usize, 0..4_u8), 0..8);
    (executors, edges).prop_map(|(executors, edges)| {
        let count = executors.len();
        let mut text = "pipeline:\n  name: p\n  executors:\n".to_owned();
        for (at, (kind, settings)) in executors.iter().enumerate() {
            let executor = format!("{{ id: s{at}, type: {kind}, settings: {settings} }}");
            text.extend(["    - ", &executor, "\n"]);
        }
        let mut seen = std::collections::BTreeSet::new();
        let mut lines = String::new();
        for (from, step, kind) in edges {
            let to = from + step;
            if to >= count || !seen.insert((from, to)) {
                continue;
            }
            let line = match kind {
                0 => format!("{{ from: s{from}, to: s{to} }}"),
                1 => format!("{{ from: s{from}, to: s{to}, type: sequential }}"),
                2 => format!("{{ from: [s{from}], to: s{to}, type: join }}"),
                _ => format!(
                    "{{ from: s{from}, to: [{{ target: s{to}, condition: 'n == {to}' }}] }}"
                ),
            };
            lines.extend(["    - ", &line, "\n"]);
        }
        if !lines.is_empty() {
            text.extend(["  edges:\n", &lines]);
        }
        text
    })
}

proptest! {
    #[test]
    fn converted_file_is_read_as_the_same_pipeline(text in theirs()) {
        let converted = convert("theirs.yaml", &text, None, &Ours).expect("converted");
        prop_assert!(!converted.has_gaps(), "{:?}", converted.remarks);
        match (load(&text), load(&converted.text)) {
            (Ok(theirs), Ok(ours)) => prop_assert_eq!(shape(&theirs), shape(&ours)),
            (Err(theirs), Err(ours)) => {
                let messages = |problems: Problems| -> Vec<_> {
                    let mut list: Vec<_> =
                        problems.list.into_iter().map(|problem| problem.message).collect();
                    list.sort();
                    list
                };
                prop_assert_eq!(messages(theirs), messages(ours));
            }
            (theirs, ours) => prop_assert!(false, "{:?} {:?}\n{}", theirs, ours, converted.text),
        }
    }

    #[test]
    fn no_text_breaks_the_conversion(text in "[a-z:\\- \\n\\[\\]{}'\"$]{0,80}") {
        let theirs = format!("executors: [{{id: a, type: pass_through}}]\n{text}");
        let _ = convert("f", &theirs, None, &Ours);
        let _ = convert("f", &text, None, &Ours);
    }
}
