//! The types of ContentFlow's executors, and what stands for them here.

mod documents;
mod fields;
mod objects;

use serde_json::json;

use super::executor::Executor;
use crate::pipeline::load::node::Value;

/// Settings that speak of several items at a time: here each is a job of its own.
const OF_BATCHES: [&str; 3] = ["batch_size", "continue_on_error", "preserve_order"];

/// How an executor of a type becomes a stage.
type Adapt = fn(&mut Executor<'_>);

const COUNTERPARTS: [(&str, Adapt); 13] = [
    ("azure_blob_input_discovery", objects::discovery),
    ("content_retriever", objects::retriever),
    ("csv_extractor", documents::csv),
    ("excel_extractor", documents::excel),
    ("fan_in_aggregator", pass),
    ("field_mapper", fields::mapper),
    ("field_selector", fields::selector),
    ("language_detector", documents::language),
    ("pass_through", pass),
    ("pdf_extractor", documents::pdf),
    ("powerpoint_extractor", documents::powerpoint),
    ("recursive_text_chunker", documents::chunker),
    ("word_extractor", documents::word),
];

const MODEL: &str = "a stage of type `llm` with instructions of its own may do it";
const SET: &str = "a fan-out with a join gathers what several jobs have";
const PROGRAM: &str = "a program of yours may do it";

/// Types without a counterpart, and what may do instead.
const GAPS: [(&str, &str); 24] = [
    ("ai_search_index_output", PROGRAM),
    ("azure_blob_content_retriever", PROGRAM),
    ("azure_blob_output", "a stage of type `objects.write` may do it"),
    ("azure_content_understanding_extractor", PROGRAM),
    ("azure_document_intelligence_extractor", "a stage of type `document.text` may do it"),
    ("azure_openai_agent", MODEL),
    ("azure_openai_embeddings", "a stage of type `embed` may do it"),
    ("content_classifier", MODEL),
    ("content_translator", MODEL),
    ("cosmos_db_lookup", PROGRAM),
    ("cross_document_comparison", SET),
    ("cross_document_field_aggregator", SET),
    ("document_set_collector", SET),
    ("document_set_initializer", SET),
    ("entity_extractor", MODEL),
    ("for_each_content", "each item is a job here: write its steps as stages, one after the other"),
    ("gptrag_search_index_document_generator", PROGRAM),
    ("keyword_extractor", MODEL),
    ("pii_detector", MODEL),
    ("sentiment_analyser", MODEL),
    ("table_row_splitter", "a route with `each: rows` makes a job of each row"),
    ("text_summarizer", MODEL),
    ("web_scraper", PROGRAM),
    ("subworkflow", "a stage of type `pipeline` may do it"),
];

/// What is known of types.
pub struct Types<'a> {
    /// Those that stay as they are, whatever they are called there.
    pub kept: &'a dyn Fn(&str) -> bool,
    /// Those that there are here.
    pub ours: &'a dyn Fn(&str) -> bool,
}

/// Makes a stage of an executor of this type; one of another type stays as it is.
pub fn adapt(executor: &mut Executor<'_>, stage_type: &str, types: &Types<'_>) {
    if stage_type == "subpipeline" {
        return sub_pipeline(executor);
    }
    if let Some((_, adapt)) = COUNTERPARTS.iter().find(|(name, _)| *name == stage_type) {
        common(executor);
        adapt(executor);
        return check_there(executor, stage_type, types);
    }
    if let Some((_, instead)) = GAPS.iter().find(|(name, _)| *name == stage_type) {
        let settings = executor.settings_text();
        executor.gap(format!(
            "type `{stage_type}` has no counterpart: {instead}; its settings were {settings}"
        ));
        executor.clear();
        return executor.becomes("remote");
    }
    if !(types.ours)(stage_type) {
        executor.gap(format!("type `{stage_type}` is known neither there nor here"));
    }
}

/// A counterpart may be left out of a build: what it would do is lost then.
fn check_there(executor: &mut Executor<'_>, stage_type: &str, types: &Types<'_>) {
    let ours = executor.stage_type().to_owned();
    if !(types.ours)(&ours) {
        executor.gap(format!("type `{stage_type}` is `{ours}` here, which this build lacks"));
    }
}

/// What executors say of how they work.
fn common(executor: &mut Executor<'_>) {
    executor.ignore(&OF_BATCHES);
    if let Some(count) = executor.take("max_concurrent") {
        executor.say("concurrency", count);
    }
    if let Some(seconds) = executor.take("timeout_secs") {
        executor.say("timeout_seconds", seconds);
    }
}

fn pass(executor: &mut Executor<'_>) {
    executor.becomes("pass");
    executor.keep(&[]);
}

/// Every pipeline of a store may be a stage of another one.
fn sub_pipeline(executor: &mut Executor<'_>) {
    executor.becomes("pipeline");
    executor.ignore(&["max_iterations"]);
    executor.expect("allow_direct_output", &[json!(false)]);
    executor.keep(&["pipeline"]);
}

/// Whether a value says nothing: an empty text, or zero where that means no limit.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Text(text) => text.trim().is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
        _ => false,
    }
}
