//! Reads one stage.

use super::fields::Fields;
use super::node::{Node, Value, to_params};
use super::{COUNT_MAX, Place, condition, join, keyed, schedule};
use crate::form::{Field, Form};
use crate::id::QueueName;
use crate::pipeline::{OnStageFailure, ParamsMode, Problem, Stage};
use crate::retry::{Backoff, RetryPolicy};

const KEYS: [&str; 21] = [
    "id",
    "type",
    "settings",
    "retry",
    "timeout_seconds",
    "concurrency",
    "max_deliveries",
    "queue",
    "required_params",
    "output_params",
    "params",
    "form",
    "join",
    "key",
    "lane_limit",
    "priority_alarm",
    "offload",
    "schedule",
    "enabled",
    "when",
    "on_failure",
];
const RETRY_KEYS: [&str; 4] = ["max_retries", "backoff", "delay_seconds", "delay_max_seconds"];

/// A stage as far as it could be read.
pub(super) struct Draft {
    /// The stage. Where a value was a problem, its default.
    pub stage: Stage,
    /// Where its parts stand.
    pub place: Place,
    /// Whether its settings are whole, so that it makes sense to build its executor.
    pub settings_read: bool,
}

/// Reads the stage at this index. `None` when it has no readable name or type, without which
/// nothing more can be said about it.
pub(super) fn read(node: &Node, index: usize, problems: &mut Vec<Problem>) -> Option<Draft> {
    let mut place = Place::of(node);
    let owner = match place_text(node, "id") {
        Some(id) => format!("stage `{id}`"),
        None => format!("stage {}", index + 1),
    };
    let fields = Fields::open(node, owner, &KEYS, problems)?;
    let id = fields.required_text("id", problems);
    let kind = fields.required_text("type", problems);
    let mut stage = Stage::new(id.unwrap_or_default(), kind.unwrap_or_default());
    if let Some(settings) = fields.mapping("settings", problems) {
        stage.settings = to_params(settings);
        place.add("settings.", settings);
    }
    if let Some(texts) = fields.texts("required_params", problems) {
        stage.required_params = texts;
    }
    stage.output_params = fields.texts("output_params", problems);
    let modes = [("merge", ParamsMode::Merge), ("replace", ParamsMode::Replace)];
    if let Some(mode) = fields.word("params", &modes, problems) {
        stage.params = mode;
    }
    if let Some(retry) = fields.get("retry") {
        stage.retry = read_retry(retry, &fields.owner, problems);
        if let Value::Mapping(entries) = &retry.value {
            place.add("retry.", entries);
        }
    }
    stage.timeout = fields.seconds_above_zero("timeout_seconds", problems);
    if let Some(count) = fields.whole("concurrency", 1..=Stage::CONCURRENCY_MAX, problems) {
        stage.concurrency = count;
    }
    if let Some(count) = fields.whole("max_deliveries", 1..=COUNT_MAX, problems) {
        stage.max_deliveries = count;
    }
    stage.queue = fields.text("queue", problems).map(QueueName::from);
    stage.form = read_form(&fields, problems);
    stage.join = join::read(&fields, problems);
    stage.key = keyed::read(&fields, problems);
    stage.lane_limit = fields.whole("lane_limit", 1..=Stage::LANE_LIMIT_MAX, problems);
    stage.priority_alarm = fields.whole("priority_alarm", 0..=Stage::LANE_LIMIT_MAX, problems);
    stage.schedule = schedule::read(&fields, problems);
    if let Some(offload) = fields.boolean("offload", problems) {
        stage.offload = offload;
    }
    stage.when = condition::read(&fields, problems).ok().flatten();
    let words = [("fail", OnStageFailure::Fail), ("pass", OnStageFailure::Pass)];
    if let Some(word) = fields.word("on_failure", &words, problems) {
        stage.on_failure = word;
    }
    if fields.boolean("enabled", problems) == Some(false) {
        stage = stage.disabled();
    }
    let settings = fields.get("settings");
    let settings_read = settings.is_none_or(|settings| {
        matches!(settings.value, Value::Mapping(_)) && !settings.is_broken()
    });
    // Without a name or a type the checks of the whole would only echo what was said here.
    (id.is_some() && kind.is_some()).then_some(Draft { stage, place, settings_read })
}

/// The text under a key, if it is one: to call a thing by its name before it is read.
fn place_text<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    let Value::Mapping(entries) = &node.value else {
        return None;
    };
    let entry = entries.iter().find(|entry| entry.key == key)?;
    match &entry.value.value {
        Value::Text(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

fn read_retry(node: &Node, owner: &str, problems: &mut Vec<Problem>) -> RetryPolicy {
    let mut policy = RetryPolicy::default();
    let owner = format!("`retry` of {owner}");
    let Some(fields) = Fields::open(node, owner, &RETRY_KEYS, problems) else {
        return policy;
    };
    if let Some(count) = fields.whole("max_retries", 0..=COUNT_MAX, problems) {
        policy.max_retries = count;
    }
    let words =
        [("none", Backoff::None), ("fixed", Backoff::Fixed), ("exponential", Backoff::Exponential)];
    if let Some(backoff) = fields.word("backoff", &words, problems) {
        policy.backoff = backoff;
    }
    if let Some(delay) = fields.seconds("delay_seconds", problems) {
        policy.delay = delay;
        // A long first wait is meant as it is written, the default cap must not shorten it.
        policy.delay_max = policy.delay_max.max(delay);
    }
    if let Some(delay_max) = fields.seconds("delay_max_seconds", problems) {
        policy.delay_max = delay_max;
        if fields.get("delay_seconds").is_none() {
            policy.delay = policy.delay.min(delay_max);
        }
    }
    policy
}

fn read_form(fields: &Fields<'_>, problems: &mut Vec<Problem>) -> Form {
    let mut form = Form::default();
    for entry in fields.mapping("form", problems).unwrap_or_default() {
        let kind = match &entry.value.value {
            Value::Text(kind) => kind.as_str(),
            Value::Broken => continue,
            _ => &entry.value.describe(),
        };
        match Field::parse(&entry.key, kind) {
            Ok(field) => form.fields.push(field),
            Err(message) => {
                let message = format!("form of {}: {message}", fields.owner);
                problems.push(Problem::new(message).at(entry.value.position));
            }
        }
    }
    form
}
