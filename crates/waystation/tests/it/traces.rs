//! What a collector of traces is told.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::program::Place;

const PIPELINE: &str = r#"
pipeline:
  name: traced
  stages:
    - id: look
      type: exec
      settings: { command: 'echo "{\"seen\": \"$TRACEPARENT\"}"' }
    - id: break
      type: exec
      settings: { command: "exit 3" }
"#;

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

impl Collector {
    /// Listens for what is sent; gives its URL.
    async fn listen(&self) -> String {
        let spans = Arc::clone(&self.0);
        let take = move |body: Bytes| async move {
            let request = ExportTraceServiceRequest::decode(body).expect("spans");
            let scopes = request.resource_spans.into_iter().flat_map(|one| one.scope_spans);
            spans.lock().expect("whole").extend(scopes.flat_map(|scope| scope.spans));
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let router = Router::new().route("/v1/traces", post(take));
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_shows_a_job_through_all_its_attempts() {
    let collector = Collector::default();
    let endpoint = collector.listen().await;
    let shown = tokio::task::spawn_blocking(move || {
        let place = Place::with_pipeline(PIPELINE).with("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
        let job = place.run(&["submit", "pipeline.yaml"]).exits(0).word();
        place.run(&["run", "pipeline.yaml", "--until-idle"]).exits(1);
        place.show(&job)
    });
    let shown = shown.await.expect("it ran");
    let spans = collector.0.lock().expect("whole").clone();
    let names: Vec<&str> = spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["job traced", "traced look", "traced break"]);
    let job = &spans[0];
    for attempt in &spans[1..] {
        assert_eq!(attempt.trace_id, job.trace_id, "{}", attempt.name);
        assert_eq!(attempt.parent_span_id, job.span_id, "{}", attempt.name);
    }
    let trace = u128::from_be_bytes(job.trace_id[..].try_into().expect("16 bytes"));
    let span = u64::from_be_bytes(spans[1].span_id[..].try_into().expect("8 bytes"));
    let look = format!("00-{trace:032x}-{span:016x}-01");
    assert_eq!(shown["job"]["params"]["seen"], look, "a handler passes its attempt on");
    let failed = spans[2].status.as_ref().expect("a status");
    assert!(failed.message.contains("exit"), "{failed:?}");
}
