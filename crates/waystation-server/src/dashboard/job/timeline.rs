//! What happened to a job: its stage runs with their attempts, and its events one by one.

use std::time::Duration;

use maud::{Markup, html};
use waystation_core::clock::Timestamp;
use waystation_core::event::{Event, EventKind};
use waystation_core::state::JobState;

use super::changes::{Before, Change, Changes};
use super::query::Shown;
use super::runs::{Attempt, Run};
use crate::dashboard::parts::badge::two;
use crate::dashboard::parts::{badge, moment, value};

/// The most events that a page lists: the last ones.
const EVENTS_MAX: usize = 300;

/// The stage runs, newest last, each with a bar where it stood in the job's time.
pub fn timeline(shown: &Shown) -> Markup {
    let job = &shown.job;
    let end = if job.state.is_terminal() { job.updated_at } else { shown.now };
    let whole = end.since(job.created_at).max(Duration::from_millis(1));
    html! {
        div.title { h2 { "Timeline" } span.faint { (moment::lasted(whole)) " in all" } }
        div.places aria-hidden="true" {
            span { "submitted" } span { (moment::lasted(whole / 2)) }
            span { (moment::lasted(whole)) }
        }
        ol.runs { @for run in &shown.runs {
            li #{ "run-" (run.visit) } {
                (head(run, shown.now))
                (bar(run, job.created_at, whole, shown.now))
                @for attempt in &run.attempts { (failure(attempt)) }
                @for note in &run.notes { (note_of(note, run)) }
                @if run.output.is_some() { (diff(&run.changes)) }
            }
        } }
    }
}

fn head(run: &Run, now: Timestamp) -> Markup {
    let took: Duration = run.attempts.iter().map(|attempt| attempt.lasted(now)).sum();
    html! {
        div.run {
            span.number { (run.visit) }
            b { (run.stage) }
            @if run.last() == EventKind::Started { (badge::state(JobState::Running)) }
            @else { (badge::event(run.last())) }
            @if let Some(label) = &run.label { span.faint { "outcome " b { (label) } } }
            @if let Some(by) = &run.by { span.faint { "answered by " b { (by) } } }
            span.end {
                @if run.attempts.len() > 1 { (run.attempts.len()) " attempts, " }
                @if !run.attempts.is_empty() { (moment::lasted(took)) }
            }
        }
    }
}

/// Why an attempt failed, with everything below that. One that is made again is no alarm.
fn failure(attempt: &Attempt) -> Markup {
    let is_made_again = attempt.ended.is_some_and(|(_, kind)| kind == EventKind::Retried);
    html! {
        @if let Some(failure) = &attempt.failure {
            div.failure.again[is_made_again] {
                p { b { (failure.kind) } " " span.message { (failure.message) } }
                @if !failure.causes.is_empty() {
                    ol.causes { @for cause in &failure.causes { li { (cause) } } }
                }
            }
        }
    }
}

/// Where the attempts stood in the job's time.
fn bar(run: &Run, from: Timestamp, whole: Duration, now: Timestamp) -> Markup {
    let part = |length: Duration| length.as_secs_f64() / whole.as_secs_f64() * 100.0;
    let class = |attempt: &Attempt| match attempt.ended.map(|(_, kind)| kind) {
        None if run.last() == EventKind::Waiting => "waiting",
        None => "running",
        Some(EventKind::Completed) => "completed",
        Some(EventKind::Failed) => "failed",
        Some(EventKind::Aborted) => "aborted",
        Some(_) => "retrying",
    };
    html! {
        svg.span viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" {
            rect.rest x="0" y="1.5" width="100" height="1" {}
            @for attempt in &run.attempts {
                rect class={ "fill-" (class(attempt)) } y="0" height="4"
                    x=(two(part(attempt.began.since(from)).min(99.4)))
                    width=(two(part(attempt.lasted(now)).max(0.6))) {
                    title { "attempt " (attempt.number) ": " (moment::lasted(attempt.lasted(now))) }
                }
            }
        }
    }
}

fn note_of(note: &Event, run: &Run) -> Markup {
    let text = |name: &str| note.detail.as_ref()?.get(name)?.as_str();
    html! {
        @if note.kind != EventKind::Waiting {
            p.note { (badge::event(note.kind)) " " (moment::clock(note.at))
                @if note.stage != run.stage { " stage " (note.stage) }
                @if let Some(by) = text("by") { " by " (by) }
                @if let Some(from) = text("from") { ", from " (from) }
                @if let Some(reason) = text("reason") { ": " (reason) }
            }
        }
    }
}

/// What a run changed of the params.
fn diff(changes: &Changes) -> Markup {
    html! {
        @if changes.list.is_empty() {
            p.faint { "It changed none of the params that are known." }
        } @else {
            table.diff {
                caption.hidden { "Params before and after" }
                @for change in &changes.list { (line(change)) }
            }
            @if changes.left > 0 {
                p.faint { (changes.left) @if changes.left == 1 { " other stays" }
                    @else { " others stay" } " as before" }
            }
        }
    }
}

fn line(change: &Change) -> Markup {
    let Change { name, before, after } = change;
    html! {
        tr {
            th scope="row" { (name) }
            td.before { @match before {
                Before::Known(before) => del { (value::inline(before)) },
                Before::Unknown => span.faint title="It was not there, or as it was submitted" {
                    "–"
                }
            } }
            td.arrow aria-hidden="true" { "→" }
            td.after { @match after {
                Some(after) => ins { (value::inline(after)) },
                None => span.faint { "gone" },
            } }
        }
    }
}

/// Every event with its detail, newest first.
pub fn events(shown: &Shown) -> Markup {
    let left_out = shown.events.len().saturating_sub(EVENTS_MAX);
    html! {
        div.title { h2 { "Events" } span.faint { "newest first, in UTC" } }
        @let shown = shown.events[left_out..].iter().rev();
        ol.events tabindex="0" aria-label="Events" { @for event in shown {
            li {
                (moment::clock(event.at)) (badge::event(event.kind))
                span { (event.stage) span.faint { " " (event.visit) "." (event.attempt) } }
                @if let Some(detail) = &event.detail { (value::inline(detail)) }
            }
        } }
        @if left_out > 0 { p.faint { (left_out) " earlier events are not shown" } }
    }
}
