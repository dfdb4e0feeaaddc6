//! What the system says of this process, where it says it cheaply: on Linux.

use std::fs;

use serde::{Deserialize, Serialize};

/// Ticks of processor time in a second, on every Linux that is met.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Its memory.
    pub memory_bytes: Option<u64>,
    /// The processor time that it has used.
    pub cpu_seconds: Option<f64>,
}

impl Usage {
    /// What this process uses now.
    pub fn now() -> Self {
        Self::of("self")
    }

    /// What another one uses now.
    pub fn of_process(pid: u32) -> Self {
        Self::of(&pid.to_string())
    }

    fn of(process: &str) -> Self {
        let read = |file: &str| fs::read_to_string(format!("/proc/{process}/{file}")).ok();
        Self {
            memory_bytes: read("status").as_deref().and_then(memory_bytes),
            cpu_seconds: read("stat").as_deref().and_then(cpu_seconds),
        }
    }
}

/// A process, such that no other one is taken for it: the system's start, its space of process
/// numbers, the number there, and when it began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    boot: String,
    space: String,
    pid: u32,
    began: u64,
}

impl Process {
    /// This process, where the system says enough of it.
    pub fn this() -> Option<Self> {
        let pid = std::process::id();
        let (boot, space) = place()?;
        Some(Self { boot, space, pid, began: began(pid)? })
    }

    /// Whether it can be seen that it is gone. Of processes of other machines nothing is seen, nor
    /// of those in other containers.
    pub fn is_gone(&self) -> bool {
        let here = place().is_some_and(|(boot, space)| boot == self.boot && space == self.space);
        here && began(self.pid) != Some(self.began)
    }
}

/// The start of this system, and the space that numbers of processes are counted in.
fn place() -> Option<(String, String)> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = fs::read_link("/proc/self/ns/pid").ok()?;
    Some((boot.trim().to_owned(), space.display().to_string()))
}

/// When a process began, in ticks since the system did. `None` where there is no such process, or
/// where it has ended and is only to be told so.
fn began(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    let began = fields.nth(18)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(began)
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
    fn a_process_is_gone_when_it_is_and_not_when_its_number_is_somebody_elses() {
        let this = Process::this().expect("Linux says it");
        assert!(!this.is_gone());
        assert!(Process { began: this.began + 1, ..this.clone() }.is_gone());
        assert!(!Process { boot: "another machine's".to_owned(), began: 0, ..this }.is_gone());
    }

    #[test]
    fn what_linux_says_is_read() {
        assert_eq!(memory_bytes("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t4\n"), Some(2_097_152));
        assert_eq!(memory_bytes("Name:\tx\n"), None);
        let stat = "7 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds("7 (a) S 1"), None);
    }
}
