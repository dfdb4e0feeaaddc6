//! Files that are right, and what becomes of them.

use std::time::Duration;

use serde_json::json;

use super::load;
use crate::pipeline::{
    FanOut, Join, OnFailure, OnKeyFailure, Over, ParamsMode, Pipeline, Rest, Stage, Target, Wait,
};
use crate::retry::{Backoff, RetryPolicy};

pub(in crate::pipeline) const SCANS: &str = r#"
pipeline:
  name: scans
  stages:
    - id: find
      type: files
      settings: { url: "file://inbox", polling_interval_seconds: 30 }
    - { id: rectify, type: image.rectify, retry: { max_retries: 2, backoff: exponential },
        timeout_seconds: 60, concurrency: 4 }
    - { id: validate, type: manual, form: { ok: boolean, note: string? } }
    - { id: correct, type: manual, form: { corners: array } }
  routes:
    - { from: find,     to: rectify }
    - { from: rectify,  to: validate, on: ok }
    - { from: rectify,  to: correct,  on: ko }
    - { from: validate, to: done,     when: "ok == true" }
    - { from: validate, to: correct,  when: "ok == false" }
    - { from: correct,  to: done }
"#;

fn good(text: &str) -> Pipeline {
    load(text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn routes(pipeline: &Pipeline) -> Vec<String> {
    let routes = pipeline.routes.iter();
    routes.map(|route| format!("{} {}", route.from, route.describe())).collect()
}

#[test]
fn pipeline_of_the_design_is_read_whole() {
    let pipeline = good(SCANS);
    assert_eq!(pipeline.name.as_str(), "scans");
    let stages = pipeline.stages.iter();
    let stages: Vec<_> = stages.map(|stage| format!("{}: {}", stage.id, stage.kind)).collect();
    assert_eq!(
        stages,
        ["find: files", "rectify: image.rectify", "validate: manual", "correct: manual"]
    );
    let [find, rectify, validate, correct] = &pipeline.stages[..] else { panic!("four stages") };
    assert_eq!(
        serde_json::Value::from(find.settings.clone()),
        json!({"url": "file://inbox", "polling_interval_seconds": 30})
    );
    assert_eq!(rectify.timeout, Some(Duration::from_mins(1)));
    assert_eq!(rectify.concurrency, 4);
    assert_eq!(rectify.retry, RetryPolicy::default());
    assert_eq!(validate.form.to_string(), "ok: boolean, note: string?");
    assert_eq!(correct.form.to_string(), "corners: array");
    assert_eq!(
        routes(&pipeline),
        [
            "find to rectify",
            "rectify to validate on ok",
            "rectify to correct on ko",
            "validate to done when ok == true",
            "validate to correct when ok == false",
            "correct to done",
        ]
    );
    assert_eq!(pipeline.routes[5].to, Target::Done);
}

#[test]
fn every_key_of_a_stage_arrives() {
    let pipeline = good(
        "
name: p
description: |
  Two lines,
  kept.
stages:
  - id: a
    type: exec
    settings:
      command: [echo, yes, 1.5, ~, 'a''b']
      deep: { x: [true, { y: 0x10 }] }
    retry: { max_retries: 0, backoff: fixed, delay_seconds: 1000 }
    timeout_seconds: 0.25
    concurrency: 10000
    max_deliveries: 1
    required_params: [image_id, 'page']
    output_params: []
    params: replace
",
    );
    assert_eq!(pipeline.description.as_deref(), Some("Two lines,\nkept.\n"));
    let stage = &pipeline.stages[0];
    assert_eq!(
        serde_json::Value::from(stage.settings.clone()),
        json!({"command": ["echo", "yes", 1.5, null, "a'b"], "deep": {"x": [true, {"y": 16}]}})
    );
    let long = Duration::from_secs(1000);
    let retry =
        RetryPolicy { max_retries: 0, backoff: Backoff::Fixed, delay: long, delay_max: long };
    assert_eq!(stage.retry, retry);
    assert_eq!(stage.timeout, Some(Duration::from_millis(250)));
    assert_eq!((stage.concurrency, stage.max_deliveries), (10_000, 1));
    assert_eq!(stage.required_params, ["image_id", "page"]);
    assert_eq!(stage.output_params, Some(Vec::new()));
    assert_eq!(stage.params, ParamsMode::Replace);
}

#[test]
fn keys_and_lanes_are_read_in_both_forms() {
    let pipeline = good(
        "
name: p
stages:
  - { id: a, type: exec, key: \"kind + ':' + id\", lane_limit: 10000 }
  - { id: b, type: exec, key: { by: device, on_failure: skip }, priority_alarm: 5 }
  - { id: c, type: exec, key: { by: device, together: 1000 }, priority_alarm: 0 }
",
    );
    let read: Vec<_> = pipeline
        .stages
        .iter()
        .map(|stage| {
            let key = stage.key.as_ref().expect("a key");
            (key.by.source().to_owned(), key.on_failure, key.together, stage.lane_limit)
        })
        .collect();
    let expected = [
        ("kind + ':' + id".to_owned(), OnKeyFailure::Block, 32, Some(10_000)),
        ("device".to_owned(), OnKeyFailure::Skip, 32, None),
        ("device".to_owned(), OnKeyFailure::Block, 1_000, None),
    ];
    assert_eq!(read, expected);
    let alarms: Vec<_> = pipeline.stages.iter().map(Stage::priority_alarm).collect();
    assert_eq!(alarms, [Some(10_000), Some(5), None]);
}

#[test]
fn fan_outs_and_joins_are_read_in_both_forms() {
    let ours = good(
        "
name: p
type_param: state
stages:
  - { id: cut, type: exec }
  - { id: work, type: exec }
  - { id: count, type: exec, join: { wait: 3, on_failure: collect, rest: run,
      collect: { stars: found } } }
  - { id: text, type: exec }
  - { id: small, type: exec }
  - { id: both, type: exec, join: all }
  - { id: check, type: exec }
routes:
  - { from: cut, to: work, each: tiles, as: tile }
  - { from: work, to: count }
  - { from: count, to: [text, small], join: both }
  - { from: [text, small], to: both }
  - { from: both, to: check }
  - { from: check, to: both, on_type: Rough, at_most: 3 }
  - { from: check, to: done, on_type: [Rough, Fine] }
",
    );
    assert_eq!(ours.type_param, "state");
    assert_eq!(
        routes(&ours),
        [
            "cut to work for each of tiles",
            "work to count",
            "count to text and small",
            "text to both",
            "small to both",
            "both to check",
            "check to both for Rough at most 3 times",
            "check to done for Rough or Fine",
        ]
    );
    let join = Join {
        wait: Wait::AtLeast(3),
        on_failure: OnFailure::Collect,
        rest: Rest::Run,
        collect: vec![("stars".to_owned(), "found".to_owned())],
    };
    assert_eq!(ours.stages[2].join, Some(join));
    assert_eq!(ours.stages[5].join, Some(Join::default()));
    let Target::FanOut(FanOut { over: Over::Items { item, .. }, .. }) = &ours.routes[0].to else {
        panic!("a child for each tile");
    };
    assert_eq!(item, "tile");

    let edges = good(
        "
pipeline:
  name: p
  executors: [{id: a, type: exec}, {id: b, type: exec}, {id: c, type: exec}, {id: j, type: exec}]
  edges:
    - { from: a, to: [b, c], type: parallel }
    - { from: [b, c], to: j, type: join }
",
    );
    assert_eq!(routes(&edges), ["a to b and c", "b to j", "c to j"]);
    assert_eq!(edges.stages[3].join, Some(Join::default()));
}

#[test]
fn routes_may_be_left_out_or_written_in_other_forms() {
    let stages = "[{id: a, type: exec}, {id: b, type: exec}, {id: c, type: exec}]";
    let chain = ["a to b", "b to c"];
    let cases = [
        (format!("name: p\nstages: {stages}"), &chain[..]),
        (format!("name: p\nstages: {stages}\nroutes: []\ndescription:"), &chain),
        (
            format!("pipeline:\n  name: p\n  executors: {stages}\n  execution_sequence: [c, a, b]"),
            &["c to a", "a to b"],
        ),
        (
            format!(
                "name: p\nexecutors: {stages}\nedges:\n\
                 - {{from: a, to: b, type: sequential}}\n- {{from: b, to: c}}"
            ),
            &chain,
        ),
        (
            r#"{"pipeline": {"name": "p", "stages": [{"id": "a", "type": "exec"}],
                "routes": [{"from": "a", "to": "done", "when": "x == \"y\""}]}}"#
                .to_owned(),
            &["a to done when x == \"y\""],
        ),
        (format!("name: p\nstages: {}\n]\n", stages.trim_end_matches(']')), &chain),
        (format!("\u{feff}---\nname: p\nstages: &s {stages}\n...\n"), &chain),
    ];
    for (text, expected) in cases {
        assert_eq!(routes(&good(&text)), expected, "{text}");
    }
}

#[test]
fn placeholders_take_their_values_from_the_environment() {
    let cases = [
        ("${COUNT}", json!(7)),
        ("'${COUNT}'", json!("7")),
        ("\"${COUNT}\"", json!("7")),
        ("!!str ${COUNT}", json!("7")),
        ("${RATIO}", json!(0.5)),
        ("${COUNT}0", json!("70")),
        ("${EMPTY}", json!(null)),
        ("${EMPTY:-x}", json!("x")),
        ("${ABSENT:-true}", json!(true)),
        ("a/${NAME}/${COUNT}", json!("a/scans/7")),
        ("$${NAME}", json!("${NAME}")),
        ("${LIST}", json!("[1, 2]")),
        (
            "{ n: ${COUNT}, m: [${COUNT}, $${X}, ${A:-string?}] }",
            json!({
                "n": 7, "m": [7, "${X}", "string?"]
            }),
        ),
        ("{\"n\": \"${A:-{[,}\"}", json!({"n": "{[,"})),
        ("|\n      echo ${NAME}\n      echo $${HOME}", json!("echo scans\necho ${HOME}\n")),
    ];
    for (value, expected) in cases {
        let text = format!(
            "name: ${{NAME}}\nstages:\n- id: a\n  type: exec\n  settings:\n    value: {value}"
        );
        let pipeline = good(&text);
        assert_eq!(pipeline.name.as_str(), "scans");
        assert_eq!(pipeline.stages[0].settings["value"], expected, "{value}");
    }
}

#[test]
fn aliases_repeat_values() {
    let pipeline = good(
        "name: p\nstages:\n- { id: a, type: exec, retry: &r { max_retries: 9 } }\n\
         - { id: b, type: exec, retry: *r }",
    );
    assert_eq!(pipeline.stages[1].retry.max_retries, 9);
}

#[test]
fn graph_needs_no_value_that_only_those_who_run_a_stage_need() {
    let text = "pipeline:
  name: scans
  description: for ${WHOM}
  stages:
    - { id: a, type: ours, settings: { url: \"${URL}/x\" }, retry: { max_retries: \"${TRIES}\" },
        concurrency: \"${WORKERS}\", queue: \"${SITE}_raw\" }
    - { id: b, type: manual, form: { ok: boolean }, params: replace }
    - { id: c, type: foreign, queue: \"${SITE:-here}_${NAME}\" }
  routes:
    - { from: a, to: b, on: \"${UNSET:-ko}\" }
    - { from: a, to: c, when: \"${COUNT} > 6\" }
    - { from: b, to: c }";
    let graph = Pipeline::load_graph("scans.yaml", text, &super::environment);
    let graph = graph.unwrap_or_else(|problems| panic!("{problems}"));
    let queues: Vec<_> = graph.stages.iter().map(|stage| graph.queue_of(stage)).collect();
    let queues: Vec<_> = queues.iter().map(crate::id::QueueName::as_str).collect();
    assert_eq!(queues, ["${SITE}_raw", "scans.b", "here_scans"]);
    assert_eq!(routes(&graph), ["a to b on ko", "a to c when 7 > 6", "b to c"]);
    let [a, b, _] = &graph.stages[..] else { panic!("three stages") };
    assert!(a.settings.is_empty());
    assert_eq!((b.params, b.form.to_string().as_str()), (ParamsMode::Replace, "ok: boolean"));
}

#[test]
fn graph_is_not_guessed_where_a_value_decides() {
    let text = "name: scans
stages: [{ id: a, type: \"${TYPE}\" }, { id: b, type: foreign }]
routes: [{ from: a, to: b, when: \"kind == '${KIND}'\" }]";
    let refused = Pipeline::load_graph("scans.yaml", text, &super::environment);
    let problems = refused.expect_err("nobody knows where its jobs go");
    let problems: Vec<_> = problems.list.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems[0].contains("`type` of stage `a` must be a text, not `${TYPE}`, which has no")
    );
    assert!(problems[1].contains("`when` of route 1 must be a text, not `kind == '${KIND}'`"));
}
