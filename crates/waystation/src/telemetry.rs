//! Traces over OTLP: a span for each job as it is submitted, and below it one for each attempt.
//!
//! On where `OTEL_EXPORTER_OTLP_ENDPOINT` (or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`) names a
//! collector; the other variables of OpenTelemetry hold, too, such as `OTEL_SERVICE_NAME` and
//! `OTEL_RESOURCE_ATTRIBUTES`.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use waystation_core::clock::Timestamp;
use waystation_core::failure::Failure;
use waystation_core::id::{JobId, PipelineName};
use waystation_core::trace::{Beginning, Span, Traceparent, Tracer};

/// The variables that name a collector.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";

/// Sends traces to a collector.
pub struct Telemetry {
    provider: SdkTracerProvider,
}

impl Telemetry {
    /// Begins to send, where the environment names a collector.
    pub fn from_environment() -> Result<Option<Self>, ExporterBuildError> {
        let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if !ENDPOINTS.iter().any(is_set) {
            return Ok(None);
        }
        // Another part of the program may have chosen it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let exporter = SpanExporter::builder().with_http().build()?;
        let mut resource = Resource::builder();
        if std::env::var_os(SERVICE_NAME).is_none() {
            resource = resource.with_service_name("waystation");
        }
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        Ok(Some(Self { provider }))
    }

    /// What a backend tells of its jobs.
    pub fn tracer(&self) -> Arc<dyn Tracer> {
        Arc::new(OtlpTracer(self.provider.tracer("waystation")))
    }

    /// Sends what is left, and ends. Blocks until then, or until the exporter's own time is over.
    pub fn end(&self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!(%error, "traces were not sent to the last one");
        }
    }
}

/// The tracer of a backend.
struct OtlpTracer(SdkTracer);

impl Tracer for OtlpTracer {
    fn job(&self, job_id: &JobId, pipeline: &PipelineName, at: Timestamp) -> Option<Traceparent> {
        let builder = self
            .0
            .span_builder(format!("job {pipeline}"))
            .with_kind(SpanKind::Producer)
            .with_start_time(system_time(at))
            .with_attributes([
                KeyValue::new("waystation.job_id", job_id.to_string()),
                KeyValue::new("waystation.pipeline", pipeline.to_string()),
            ]);
        let mut span = self.0.build_with_context(builder, &Context::new());
        let traceparent = written(opentelemetry::trace::Span::span_context(&span));
        opentelemetry::trace::Span::end_with_timestamp(&mut span, system_time(at));
        traceparent
    }

    fn attempt(&self, beginning: Beginning<'_>) -> Option<Box<dyn Span>> {
        let parent = beginning.parent.and_then(read)?;
        let parent = Context::new().with_remote_span_context(parent);
        let number = |number: u32| i64::from(number);
        let builder = self
            .0
            .span_builder(format!("{} {}", beginning.pipeline, beginning.stage))
            .with_kind(SpanKind::Consumer)
            .with_start_time(system_time(beginning.at))
            .with_attributes([
                KeyValue::new("waystation.job_id", beginning.job_id.to_string()),
                KeyValue::new("waystation.pipeline", beginning.pipeline.to_string()),
                KeyValue::new("waystation.stage", beginning.stage.to_string()),
                KeyValue::new("waystation.visit", number(beginning.visit)),
                KeyValue::new("waystation.attempt", number(beginning.attempt)),
            ]);
        Some(Box::new(OtlpSpan(self.0.build_with_context(builder, &parent))))
    }
}

/// An attempt.
struct OtlpSpan(opentelemetry_sdk::trace::Span);

impl Span for OtlpSpan {
    fn traceparent(&self) -> Option<Traceparent> {
        written(opentelemetry::trace::Span::span_context(&self.0))
    }

    fn end(mut self: Box<Self>, outcome: &str, failure: Option<&Failure>, at: Timestamp) {
        use opentelemetry::trace::Span as _;
        self.0.set_attribute(KeyValue::new("waystation.outcome", outcome.to_owned()));
        if let Some(failure) = failure {
            self.0.set_status(Status::error(failure.to_string()));
        }
        self.0.end_with_timestamp(system_time(at));
    }
}

fn system_time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(at.0).unwrap_or(0))
}

fn written(context: &SpanContext) -> Option<Traceparent> {
    let (trace, span) = (context.trace_id(), context.span_id());
    Traceparent::parse(&format!("00-{trace}-{span}-{:02x}", context.trace_flags().to_u8()))
}

fn read(traceparent: &Traceparent) -> Option<SpanContext> {
    let mut parts = traceparent.as_str().split('-').skip(1);
    let trace = TraceId::from_hex(parts.next()?).ok()?;
    let span = SpanId::from_hex(parts.next()?).ok()?;
    let flags = TraceFlags::new(u8::from_str_radix(parts.next()?, 16).ok()?);
    Some(SpanContext::new(trace, span, flags, true, TraceState::NONE))
}
