//! What the server measures of itself: its answers, and how long the store takes.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{HistogramOpts, HistogramVec};
use serde_json::json;
use waystation_core::port::{self, Expected, Records};

use crate::context::Context;

/// The upper bounds of the buckets of answers and of the store's, in seconds.
const BOUNDS: [f64; 13] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Where the store's writes are measured. What was written is never read.
const PINGS: &str = "pings";

/// What a server measures of itself.
pub struct Meters {
    answers: HistogramVec,
    store: HistogramVec,
}

impl Default for Meters {
    fn default() -> Self {
        let answers = HistogramOpts::new(
            "waystation_http_request_duration_seconds",
            "Time from a request to the head of its answer.",
        );
        let store = HistogramOpts::new(
            "waystation_store_latency_seconds",
            "Time that the store takes for a small read and a small durable write.",
        );
        let made = |options: HistogramOpts, labels: &[&str]| {
            HistogramVec::new(options.buckets(BOUNDS.to_vec()), labels)
                .expect("names and bounds are constants that hold")
        };
        Self {
            answers: made(answers, &["operation", "status"]),
            store: made(store, &["operation"]),
        }
    }
}

impl Meters {
    /// What was measured so far.
    pub fn families(&self) -> Vec<MetricFamily> {
        let all = self.answers.collect().into_iter().chain(self.store.collect());
        all.filter(|family| !family.get_metric().is_empty()).collect()
    }

    /// Reads and writes a record, and measures both. Gives how long they took.
    pub async fn ping(&self, records: &dyn Records) -> Result<(Duration, Duration), port::Error> {
        let began = Instant::now();
        records.record(PINGS, "server").await?;
        let read = began.elapsed();
        let began = Instant::now();
        records.put_record(PINGS, "server", &json!({}), Expected::Any, None).await?;
        let written = began.elapsed();
        for (operation, took) in [("read", read), ("write", written)] {
            self.store.with_label_values(&[operation]).observe(took.as_secs_f64());
        }
        Ok((read, written))
    }
}

/// Measures how long an answer takes.
pub async fn measured(State(context): State<Context>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let began = Instant::now();
    let response = next.run(request).await;
    let operation = match &path {
        Some(path) => context.operations().action(&method, path.as_str()),
        None => "unknown".to_owned(),
    };
    let answers = &context.meters().answers;
    let status = response.status();
    let labels = [operation.as_str(), status.as_str()];
    answers.with_label_values(&labels).observe(began.elapsed().as_secs_f64());
    response
}
