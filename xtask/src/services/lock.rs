//! One caller at a time installs, starts and stops.
//!
//! The lock is the machine's, as the ports are: two checkouts share it. The kernel gives it back
//! when its holder ends, in whatever way.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

const PATH: &str = "/run/waystation_services.lock";
/// Longer than one caller may take to install everything.
const WAIT_MAX: Duration = Duration::from_mins(25);
const POLL: Duration = Duration::from_millis(200);

/// Waits for the lock; it is held until the file is dropped.
pub fn acquire() -> anyhow::Result<File> {
    acquire_at(Path::new(PATH), WAIT_MAX)
}

fn acquire_at(path: &Path, limit: Duration) -> anyhow::Result<File> {
    let shown = path.display();
    let open = OpenOptions::new().create(true).append(true).open(path);
    let file = open.with_context(|| format!("cannot open {shown}"))?;
    let start = Instant::now();
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {shown}"));
            }
        }
        if start.elapsed() >= limit {
            bail!("waited {} s for another caller, who holds {shown}", limit.as_secs());
        }
        if !told {
            eprintln!("services: waiting for another caller, who holds {shown}");
            told = true;
        }
        sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;
    use std::{env, fs, process};

    use super::acquire_at;

    #[test]
    fn the_second_caller_waits_for_the_first() {
        let path = env::temp_dir().join(format!("xtask-lock-{}", process::id()));
        let first = acquire_at(&path, Duration::ZERO).unwrap();
        let second = acquire_at(&path, Duration::ZERO).map(drop);
        drop(first);
        // A process that another test starts just now has the file for the blink of an eye.
        let third = acquire_at(&path, Duration::from_secs(10)).map(drop);
        fs::remove_file(&path).unwrap();
        let message = second.expect_err("the lock is held").to_string();
        assert!(message.starts_with("waited 0 s for another caller, who holds "), "{message}");
        third.unwrap();
    }
}
