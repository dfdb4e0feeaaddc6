//! What the system holds a parser to. Elsewhere than on Unix only time and output are limited, by
//! the worker.

use super::super::settings::Common;

/// Limits this process, for good.
#[cfg(unix)]
pub fn hold(settings: &Common) -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // What the worker itself is held to cannot be raised.
    let limit = |resource, soft: u64, hard: u64| {
        let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let limits = Rlimit { current: Some(soft.min(most)), maximum: Some(hard.min(most)) };
        setrlimit(resource, limits)
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
