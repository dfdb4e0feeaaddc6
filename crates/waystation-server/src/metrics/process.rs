//! What the system says of this process, where it says it cheaply: on Linux.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::proto::MetricFamily;

use super::family::Family;

/// Ticks of processor time in a second, on every Linux that is met.
const TICKS_PER_SECOND: f64 = 100.0;

/// What this process uses now.
pub fn families() -> Vec<MetricFamily> {
    let mut build = Family::gauge("waystation_build_info", "1, with the version as a label.");
    build.add([("version", env!("CARGO_PKG_VERSION"))], 1.0);
    let stat = fs::read_to_string("/proc/self/stat").ok();
    let stat = stat.as_deref().and_then(Stat::parse);
    let status = fs::read_to_string("/proc/self/status").ok();
    let memory = status.as_deref().and_then(resident_bytes);
    let files = fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as f64);
    let gauges = [
        ("process_resident_memory_bytes", "Resident memory size in bytes.", memory),
        ("process_open_fds", "Number of open file descriptors.", files),
        (
            "process_threads",
            "Number of OS threads in the process.",
            stat.as_ref().map(|one| one.threads),
        ),
        (
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            stat.as_ref().and_then(Stat::started_at),
        ),
    ];
    let mut families: Vec<MetricFamily> = build.done().into_iter().collect();
    for (name, help, value) in gauges {
        let mut family = Family::gauge(name, help);
        if let Some(value) = value {
            family.add([], value);
        }
        families.extend(family.done());
    }
    let help = "Total user and system CPU time spent in seconds.";
    let mut cpu = Family::counter("process_cpu_seconds_total", help);
    if let Some(stat) = stat {
        cpu.add([], stat.cpu_seconds);
    }
    families.extend(cpu.done());
    families
}

/// What `/proc/self/stat` says.
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_seconds: f64,
    threads: f64,
    /// After the system's start.
    started_seconds: f64,
}

impl Stat {
    /// The program's name stands in brackets and may hold anything, so that what comes after the
    /// last one is counted.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<f64> =
            rest.split_whitespace().skip(1).map(|field| field.parse().unwrap_or(0.0)).collect();
        let [user, system, threads, start] = [10, 11, 16, 18].map(|index| fields.get(index));
        Some(Self {
            cpu_seconds: (user? + system?) / TICKS_PER_SECOND,
            threads: *threads?,
            started_seconds: start? / TICKS_PER_SECOND,
        })
    }

    fn started_at(&self) -> Option<f64> {
        let uptime = fs::read_to_string("/proc/uptime").ok()?;
        let up: f64 = uptime.split_whitespace().next()?.parse().ok()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
        Some(now - up + self.started_seconds)
    }
}

fn resident_bytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_says_is_read() {
        let text = "7 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 9 0 4200 1 2";
        let stat = Stat { cpu_seconds: 2.0, threads: 9.0, started_seconds: 42.0 };
        assert_eq!(Stat::parse(text), Some(stat));
        assert_eq!(Stat::parse("7 (a) S 1"), None);
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t    2 kB\n"), Some(2_048.0));
    }
}
