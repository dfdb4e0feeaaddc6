//! Logs: to stderr, above the bars.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::out;
use super::session::Global;

/// The variable that says more exactly what is logged, such as `waystation_engine=debug`.
const VARIABLE: &str = "WAYSTATION_LOG";

/// Starts the log.
pub fn start(global: &Global) {
    let settings = global.settings();
    // The AMQP client tells as errors what we only ask: whether a queue is there.
    let level = format!("{},lapin=off", settings.log_level);
    let filter = match &settings.log {
        Some(text) => EnvFilter::try_new(text).unwrap_or_else(|error| {
            out::say(format_args!("{VARIABLE} `{text}` is not understood ({error}): ignored"));
            EnvFilter::new(&level)
        }),
        None => EnvFilter::new(&level),
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(global.verbose > 1 || settings.log_json)
        .with_writer(AboveBars);
    if settings.log_json {
        lines.json().init();
    } else {
        lines.with_ansi(out::stderr_is_colourful()).init();
    }
}

/// Whether lines would only spoil what is on the screen.
static HIDDEN: AtomicBool = AtomicBool::new(false);

/// Writes nothing more: the screen is taken.
#[cfg(feature = "top")]
pub fn hide() {
    HIDDEN.store(true, Ordering::Relaxed);
}

/// Writes again.
#[cfg(feature = "top")]
pub fn show() {
    HIDDEN.store(false, Ordering::Relaxed);
}

/// Writes each line above the bars.
struct AboveBars;

impl Write for AboveBars {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        if HIDDEN.load(Ordering::Relaxed) {
            return Ok(buffer.len());
        }
        out::BARS.suspend(|| std::io::stderr().write_all(buffer))?;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for AboveBars {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}
