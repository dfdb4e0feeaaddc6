//! A source's crawls.

use maud::{Markup, html};
use waystation_core::clock::Timestamp;
use waystation_engine::sources::{CrawlPage, SourceId};

use crate::context::Context;
use crate::dashboard::href;
use crate::dashboard::parts::badge::{count, number};
use crate::dashboard::parts::moment;
use crate::dashboard::parts::words::sentence;
use crate::problem::Problem;
use crate::wire::{Crawl, CrawlState, Source};

/// How many crawls a page shows.
const PAGE: usize = 50;

/// A page of them, newest first.
pub async fn read(
    context: &Context,
    id: &SourceId,
    before: Option<String>,
) -> Result<Vec<Crawl>, Problem> {
    let found = context.client().crawls(id, CrawlPage { before, limit: PAGE }).await?;
    Ok(found.into_iter().map(Crawl::from).collect())
}

/// What the last one came to, in a line.
pub fn last(source: &Source, now: Timestamp) -> Markup {
    let Some(crawl) = &source.last_crawl else {
        return html! { span.faint { "never" } };
    };
    html! {
        (badge(crawl.state)) " "
        (number(crawl.new)) " new of " (number(crawl.found)) ", "
        (moment::ago(crawl.started_at.0, now))
        @if crawl.failed > 0 { ", " span.text-failed { (number(crawl.failed)) " failed" } }
    }
}

/// All of a page.
pub fn table(crawls: &[Crawl], here: &str, now: Timestamp) -> Markup {
    html! {
        h2 { "Looks" }
        @if crawls.is_empty() { p.empty { "It has never looked." } } @else {
            div.scroll { table {
                thead { tr { th { "Began" } th { "State" } th.number { "Took" }
                    th.number { "Found" } th.number { "New" } th.number { "Known" }
                    th.number { "Failed" } th { "Worker" } th.wide { "" } } }
                tbody { @for crawl in crawls { tr #{ "crawl-" (crawl.id) } {
                    td data-label="Began" { (moment::ago(crawl.started_at.0, now))
                        @if let Some(by) = &crawl.by { span.faint { " for " (by) } } }
                    td data-label="State" { (badge(crawl.state)) }
                    td.number data-label="Took" { @match crawl.duration_ms {
                        Some(ms) => (moment::lasted(std::time::Duration::from_millis(ms))),
                        None => span.faint { "–" },
                    } }
                    td.number data-label="Found" { (count(crawl.found)) }
                    td.number data-label="New" { (count(crawl.new)) }
                    td.number data-label="Known" { (count(crawl.skipped)) }
                    td.number data-label="Failed" {
                        span.text-failed[crawl.failed > 0] { (count(crawl.failed)) } }
                    td.name data-label="Worker" title=(crawl.worker_id) {
                        code { (crawl.worker_id) } }
                    td.wide { (why(crawl)) }
                } } }
            } }
            @if let Some(last) = crawls.last().filter(|_| crawls.len() == PAGE) {
                nav.pages aria-label="Pages of looks" {
                    a.button href={ (here) "?before=" (href::encode(&last.id)) } { "Older" }
                }
            }
        }
    }
}

/// Why it did not come to its end, and which items became no jobs.
fn why(crawl: &Crawl) -> Markup {
    html! {
        @if let Some(failure) = &crawl.failure { span.text-failed { (sentence(failure)) } }
        @if !crawl.faults.is_empty() {
            details { summary { (number(crawl.failed)) " items became no jobs" }
                ul { @for fault in &crawl.faults {
                    li { code { (fault.item) } ": " (sentence(&fault.message)) }
                } }
                @if crawl.failed > crawl.faults.len() as u64 { p.faint { "and more" } }
            }
        }
    }
}

fn badge(state: CrawlState) -> Markup {
    let class = match state {
        CrawlState::Running => "running",
        CrawlState::Completed => "completed",
        CrawlState::Failed => "failed",
        CrawlState::Interrupted => "retrying",
    };
    html! { span.badge.(class) { (state.as_str()) } }
}
