//! A browser's tab that is left open on a page while jobs run.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior};
use waystation_testing::browser::Web;

use super::Result;
use super::memory::Memory;
use super::site::Site;
use crate::engine;
use crate::figures::Figures;

/// The pages that people leave open.
const PAGES: [&str; 2] = ["/", "/jobs"];
const SAMPLE_EVERY: Duration = Duration::from_secs(2);
/// Notes how long each answer takes by which the page brings its sections up to date, in ms.
const NOTE: &str = "window.took = [];
    new PerformanceObserver((list) => {
        for (const { initiatorType, duration } of list.getEntries()) {
            if (initiatorType === 'fetch') window.took.push(duration);
        }
    }).observe({ type: 'resource' });";
/// What was noted since the last look, the elements of the page, and the script's memory in bytes.
/// Of a page that was loaded again nothing was noted: that is an error.
const LOOK: &str = "return [window.took.splice(0), document.getElementsByTagName('*').length,
    performance.memory.usedJSHeapSize];";

/// Leaves the tab open on each page for so many minutes, and prints what each minute took; gives
/// how many jobs a second ended meanwhile.
pub fn watch(jobs: usize, minutes: usize, store: &str) -> Result<f64> {
    engine::runtime()?.block_on(async {
        let site = Site::open(jobs, store).await?;
        println!("  history made in {:.0} s", site.history_seconds);
        let web = Web::open(format!("http://{}", site.address)).await;
        let empty = Memory::of_group(web.process_group())?;
        println!("  an empty page: tab {:.1} MB, browser {:.1}", empty.tab, empty.browser);
        for page in PAGES {
            web.go(page).await;
            web.until("document.getElementById('connection').dataset.state === 'live'").await;
            web.run(NOTE).await;
            println!("  {page}");
            for minute in 1..=minutes {
                Minute::watch(&web).await?.print(minute);
            }
        }
        drop(web);
        site.close().await
    })
}

/// What the tab took in a minute.
struct Minute {
    tab: Figures,
    browser: Figures,
    /// How long each answer took by which the page was brought up to date, in ms.
    refetches: Figures,
    elements: u64,
    heap: f64,
}

impl Minute {
    async fn watch(web: &Web) -> Result<Self> {
        let end = Instant::now() + Duration::from_mins(1);
        let mut samples = Vec::new();
        let mut ticks = tokio::time::interval(SAMPLE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while Instant::now() < end {
            ticks.tick().await;
            samples.push(Memory::of_group(web.process_group())?);
        }
        let (took, elements, heap): (Vec<f64>, u64, f64) = read(web.run(LOOK).await)?;
        Ok(Self {
            tab: Figures::new(samples.iter().map(|sample| sample.tab).collect()),
            browser: Figures::new(samples.iter().map(|sample| sample.browser).collect()),
            refetches: Figures::new(took),
            elements,
            heap: heap / 1e6,
        })
    }

    fn print(&self, minute: usize) {
        let Self { tab, browser, refetches, elements, heap } = self;
        println!(
            "  {minute:>3} min  tab {:>5.1} MB, at most {:>5.1}  browser {:>5.1}, at most {:>5.1}  \
             script {heap:>4.1}  {elements} elements  refetched {}: p50 {:.1} ms, p99 {:.1}",
            tab.percentile(0.50),
            tab.percentile(1.0),
            browser.percentile(0.50),
            browser.percentile(1.0),
            refetches.count(),
            refetches.percentile(0.50),
            refetches.percentile(0.99),
        );
    }
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T> {
    let text = value.to_string();
    serde_json::from_value(value).map_err(|error| format!("{error}: {text}").into())
}
