//! What the system holds a parser to. Elsewhere than on Unix only time and output are limited, by
//! the worker.

use super::super::settings::Common;

/// Limits this process, for good.
#[cfg(unix)]
pub fn hold(settings: &Common) -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = |resource, soft, hard| {
        setrlimit(resource, Rlimit { current: Some(soft), maximum: Some(hard) })
    };
    limit(Resource::As, settings.max_memory_bytes, settings.max_memory_bytes)?;
    // The first ends the process with a signal that says so, the second with the one that kills.
    let seconds = settings.max_processor_seconds;
    limit(Resource::Cpu, seconds, seconds.saturating_add(1))?;
    // It writes no files, and leaves none behind.
    limit(Resource::Fsize, 0, 0)?;
    limit(Resource::Core, 0, 0)?;
    Ok(())
}

/// Limits this process, for good.
#[cfg(not(unix))]
pub fn hold(_: &Common) -> std::io::Result<()> {
    Ok(())
}
