//! The loader, from text to model or to problems.

pub(in crate::pipeline) mod good;
mod problems;

use std::sync::Arc;

use async_trait::async_trait;
use proptest::prelude::*;
use serde_json::Value;

use crate::failure::Failure;
use crate::pipeline::{Catalog, Executor, Pipeline, Problems, Stage, StageKind};
use crate::source::{Discovery, Source};

/// Knows a few types; `files` insists on a `url` and knows nothing else but its interval.
pub(in crate::pipeline) struct Fake;

struct Nothing;

#[async_trait]
impl Source for Nothing {
    async fn discover(&self, _: Option<Value>) -> Result<Discovery, Failure> {
        Ok(Discovery::default())
    }
}

impl Catalog for Fake {
    fn kind(&self, stage_type: &str) -> Option<StageKind> {
        match stage_type {
            "exec" | "image.rectify" => Some(StageKind::Worker),
            "manual" => Some(StageKind::Manual),
            "files" => Some(StageKind::Source),
            _ => None,
        }
    }

    fn names(&self) -> Vec<String> {
        ["exec", "files", "image.rectify", "manual"].map(str::to_owned).to_vec()
    }

    fn build(&self, stage: &Stage) -> Result<Executor, Vec<String>> {
        if stage.kind != "files" {
            return Ok(Executor::Manual);
        }
        let mut problems = Vec::new();
        if !stage.settings.contains_key("url") {
            problems.push("setting `url` is absent".to_owned());
        }
        for (name, value) in &stage.settings {
            if !["url", "polling_interval_seconds"].contains(&name.as_str()) {
                problems.push(format!("unknown setting `{name}` ({value})"));
            }
        }
        if problems.is_empty() { Ok(Executor::Source(Arc::new(Nothing))) } else { Err(problems) }
    }
}

fn environment(name: &str) -> Option<String> {
    match name {
        "NAME" => Some("scans".to_owned()),
        "COUNT" => Some("7".to_owned()),
        "RATIO" => Some("0.5".to_owned()),
        "EMPTY" => Some(String::new()),
        "LIST" => Some("[1, 2]".to_owned()),
        _ => None,
    }
}

fn load(text: &str) -> Result<Pipeline, Problems> {
    Pipeline::load("scans.yaml", text, &environment, &Fake)
}

/// Pieces of pipeline files, so that arbitrary texts come near to being one.
fn near_pipelines() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "pipeline:\n",
        "name: a\n",
        "stages:\n",
        "  - ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        "id: a",
        ", ",
        "type: exec",
        "type: manual",
        "form: ",
        "routes: ",
        "from: a",
        "to: a",
        "to: done",
        "on: ko",
        "when: ",
        "\"",
        "'",
        "${",
        "${COUNT}",
        "${X:-1}",
        "$$",
        "&x ",
        "*x",
        "<<: ",
        "!!str ",
        "\n",
        "\n  ",
        "? ",
        ": ",
        "|\n",
        "#",
        "retry: ",
        "-1",
        "1e999",
        "a && (b",
        "execution_sequence: ",
        "---\n",
        "\u{feff}",
        "é",
        "\u{fdd0}",
        "\t",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

#[test]
fn deep_and_long_conditions_are_read_or_refused() {
    let conditions = [
        "1+".repeat(496) + "1 == 1",
        "!".repeat(999) + "x",
        "-".repeat(999) + "1",
        "(".repeat(499) + "x" + &")".repeat(499),
        "[".repeat(500) + &"]".repeat(500),
        "x".to_owned() + &".x".repeat(499),
        "x".to_owned() + &"[0]".repeat(333),
        "1?1:".repeat(249) + "1",
        "x&&".repeat(333) + "x",
        "[1].map(x,".repeat(90) + "x" + &")".repeat(90),
        "x".repeat(1001),
    ];
    for condition in conditions {
        let text = format!(
            "name: p\nstages: [{{id: a, type: exec}}]\n\
             routes: [{{from: a, to: done, when: '{condition}'}}]"
        );
        if let Ok(pipeline) = load(&text) {
            let when = pipeline.routes[0].when.as_ref().expect("a condition");
            let _ = when.holds(&crate::Params::new());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_loader_panic(text in "\\PC*", near in near_pipelines()) {
        for text in [text, near] {
            if let Err(problems) = load(&text) {
                prop_assert!(!problems.list.is_empty());
                for problem in problems.list {
                    prop_assert!(problem.position.is_some(), "{problem}");
                }
            }
        }
    }

    #[test]
    fn no_condition_makes_the_loader_panic(condition in "[a-z0-9 .()\\[\\]{}'\"!&|=<>?:+*/%,-]*") {
        let condition = Value::from(condition);
        let route = format!("{{from: a, to: done, when: {condition}}}");
        let stages = "[{id: a, type: exec}]";
        let _ = load(&format!("name: p\nstages: {stages}\nroutes: [{route}]"));
    }
}
