//! What the system says of this process, where it says it cheaply: on Linux.

use std::fs;

/// Ticks of processor time in a second, on every Linux that is met.
const TICKS_PER_SECOND: f64 = 100.0;

/// What this process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Its memory.
    pub memory_bytes: Option<u64>,
    /// The processor time that it has used.
    pub cpu_seconds: Option<f64>,
}

impl Usage {
    /// What it uses now.
    pub fn now() -> Self {
        let read = |file: &str| fs::read_to_string(file).ok();
        Self {
            memory_bytes: read("/proc/self/status").as_deref().and_then(memory_bytes),
            cpu_seconds: read("/proc/self/stat").as_deref().and_then(cpu_seconds),
        }
    }
}

/// The name of this machine.
pub fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname");
    let name = name.or_else(|_| fs::read_to_string("/etc/hostname")).unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

fn memory_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// The program's name stands in brackets and may hold anything, so that what comes after the last
/// one is counted: user and system time are the 12th and the 13th.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_says_is_read() {
        assert_eq!(memory_bytes("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t4\n"), Some(2_097_152));
        assert_eq!(memory_bytes("Name:\tx\n"), None);
        let stat = "7 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds("7 (a) S 1"), None);
    }
}
