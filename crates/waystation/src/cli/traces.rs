//! Traces of what this process does, where the environment names a collector.

use std::sync::Arc;

use waystation::core::trace::Tracer;

use super::exit::Error;

#[cfg(feature = "otlp")]
mod sent {
    use std::sync::OnceLock;

    use waystation::telemetry::Telemetry;

    /// What sends them, from the start of the program to its end.
    pub static TELEMETRY: OnceLock<Telemetry> = OnceLock::new();
}

/// Begins to send them.
#[cfg(feature = "otlp")]
pub fn start() -> Result<(), Error> {
    use waystation::telemetry::Telemetry;

    let telemetry = Telemetry::from_environment()
        .map_err(|error| Error::usage(format!("traces cannot be sent: {error}")))?;
    if let Some(telemetry) = telemetry {
        let _ = sent::TELEMETRY.set(telemetry);
    }
    Ok(())
}

/// Says that this build has nothing to send them with.
#[cfg(not(feature = "otlp"))]
pub fn start() -> Result<(), Error> {
    if std::env::var_os("OTEL_EXPORTER_OTLP_ENDPOINT").is_some_and(|value| !value.is_empty()) {
        let hint = "hint: cargo build --features otlp";
        super::out::say(format_args!("warning: this build sends no traces ({hint})"));
    }
    Ok(())
}

/// What a backend tells of its jobs.
pub fn tracer() -> Option<Arc<dyn Tracer>> {
    #[cfg(feature = "otlp")]
    return sent::TELEMETRY.get().map(waystation::telemetry::Telemetry::tracer);
    #[cfg(not(feature = "otlp"))]
    None
}

/// Sends what is left.
pub fn end() {
    #[cfg(feature = "otlp")]
    if let Some(telemetry) = sent::TELEMETRY.get() {
        telemetry.end();
    }
}
