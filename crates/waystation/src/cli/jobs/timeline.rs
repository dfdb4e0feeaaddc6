//! What happened to a job, line by line.

use clap::builder::styling::{AnsiColor, Style};
use serde_json::Value;
use waystation::core::clock::Timestamp;
use waystation::core::failure::Failure;
use waystation::server::wire::{Event, LogLine};

use crate::cli::{out, timing};

/// Events and log lines in the order of their times, but for the first so many of each.
pub fn lines(events: &[Event], log: &[LogLine], skip: (usize, usize)) -> Vec<String> {
    let stages = events.iter().map(|event| event.stage.chars().count());
    let width = stages.max().unwrap_or(0);
    let mut lines = Vec::new();
    let mut log = log.iter().skip(skip.1).peekable();
    for (index, event) in events.iter().enumerate().skip(skip.0) {
        // What an attempt said in the millisecond of its end stands before the end.
        let begins = matches!(event.kind.as_str(), "created" | "started");
        let before = |line: &&LogLine| line.at < event.at || (line.at == event.at && !begins);
        while let Some(line) = log.next_if(before) {
            lines.push(of_log(line, width));
        }
        lines.push(of_event(events, index, width));
    }
    lines.extend(log.map(|line| of_log(line, width)));
    lines
}

fn of_event(events: &[Event], index: usize, width: usize) -> String {
    let event = &events[index];
    let what = out::paint(&format!("{:<11}", out::clean(&event.kind)), style_of(&event.kind));
    let detail = [attempt(event), took(events, index), detail(event)];
    let detail: Vec<String> = detail.into_iter().flatten().collect();
    let (time, stage, detail) = (time(event.at.0), &event.stage, detail.join(", "));
    format!("{time} {stage:width$}  {what} {detail}").trim_end().to_owned()
}

fn of_log(line: &LogLine, width: usize) -> String {
    let text = out::paint(&out::clean(&line.line), style_of_log(&line.level));
    let (time, stage, mark) = (time(line.at.0), &line.stage, mark(&line.level));
    format!("{time} {stage:width$}  {mark} {text}")
}

fn time(at: Timestamp) -> String {
    out::paint(&timing::moment(at), out::faint())
}

fn attempt(event: &Event) -> Option<String> {
    (event.attempt > 1).then(|| format!("attempt {}", event.attempt))
}

/// How long the attempt or the wait was that this event ends.
fn took(events: &[Event], index: usize) -> Option<String> {
    let event = &events[index];
    let ends = matches!(event.kind.as_str(), "completed" | "retried" | "failed" | "handed_back");
    let begins = |earlier: &&Event| {
        matches!(earlier.kind.as_str(), "started" | "waiting")
            && earlier.stage == event.stage
            && earlier.visit == event.visit
            && earlier.attempt == event.attempt
    };
    let began = events[..index].iter().rev().find(begins).filter(|_| ends)?;
    Some(format!("after {}", timing::lasted(event.at.0.since(began.at.0))))
}

fn detail(event: &Event) -> Option<String> {
    let detail = event.detail.as_ref()?;
    let text = |name: &str| detail.get(name).and_then(Value::as_str).map(out::clean);
    let failure = |value: &Value| {
        let failure: Option<Failure> = serde_json::from_value(value.clone()).ok();
        failure.map(|failure| out::clean(&failure.to_string()))
    };
    match event.kind.as_str() {
        "failed" => failure(detail),
        "retried" => {
            let why = detail.get("failure").and_then(failure).unwrap_or_default();
            let again = text("not_before").map(|at| format!(" (again from {at})"));
            Some(format!("{why}{}", again.unwrap_or_default()))
        }
        "created" => text("source").map(|source| format!("found by {source}")),
        "aborted" => text("reason"),
        "completed" => match (text("label"), detail.get("answer")) {
            (Some(label), _) => Some(format!("outcome {label}")),
            (None, Some(answer)) => {
                let by = text("by").map_or_else(String::new, |by| format!(" by {by}"));
                Some(format!("answered{by}: {}", out::short(&answer.to_string(), 200)))
            }
            (None, None) => None,
        },
        _ => Some(out::short(&detail.to_string(), 200)),
    }
}

fn style_of(kind: &str) -> Style {
    match kind {
        "completed" => AnsiColor::Green.on_default(),
        "failed" => AnsiColor::Red.on_default(),
        "retried" | "waiting" | "abandoned" | "handed_back" => AnsiColor::Yellow.on_default(),
        "aborted" | "dropped" => AnsiColor::Magenta.on_default(),
        "started" => AnsiColor::Cyan.on_default(),
        _ => Style::new(),
    }
}

fn mark(level: &str) -> String {
    out::paint(&format!("| {:<9}", out::clean(level)), out::faint())
}

fn style_of_log(level: &str) -> Style {
    match level {
        "error" => AnsiColor::Red.on_default(),
        "warn" => AnsiColor::Yellow.on_default(),
        _ => Style::new(),
    }
}
