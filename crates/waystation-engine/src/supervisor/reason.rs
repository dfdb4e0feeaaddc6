//! Why a worker ended, in words.

use std::fs;
use std::process::ExitStatus;

/// Signals that end programs, by number, as Linux counts them.
const SIGNALS: &[(i32, &str)] = &[
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (4, "SIGILL"),
    (6, "SIGABRT"),
    (7, "SIGBUS"),
    (8, "SIGFPE"),
    (9, "SIGKILL"),
    (11, "SIGSEGV"),
    (13, "SIGPIPE"),
    (15, "SIGTERM"),
    (24, "SIGXCPU"),
    (31, "SIGSYS"),
];

/// How a process ended that nobody told to.
pub fn of_exit(status: ExitStatus, ran_out_of_memory: bool) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(number) = status.signal() {
            return of_signal(number, ran_out_of_memory);
        }
    }
    match status.code() {
        Some(0) => "it ended by itself, without an error".to_owned(),
        Some(code) => format!("exit code {code}"),
        None => status.to_string(),
    }
}

fn of_signal(number: i32, ran_out_of_memory: bool) -> String {
    let known = SIGNALS.iter().find(|(one, _)| *one == number);
    let name = known.map_or_else(String::new, |(_, name)| format!(" ({name})"));
    let hint = match number {
        9 if ran_out_of_memory => ": out of memory, the kernel killed it",
        9 => ": somebody killed it, or the kernel for want of memory",
        _ => "",
    };
    format!("signal {number}{name}{hint}")
}

/// How often the kernel killed a process of this group for want of memory, where it counts that.
pub fn killed_for_memory() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let events = fs::read_to_string(format!("/sys/fs/cgroup{path}/memory.events")).ok()?;
    let line = events.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn ends_are_told_by_code_signal_and_want_of_memory() {
        let told = |raw, memory| of_exit(ExitStatus::from_raw(raw), memory);
        assert_eq!(told(0, false), "it ended by itself, without an error");
        assert_eq!(told(3 << 8, false), "exit code 3");
        assert_eq!(told(11, false), "signal 11 (SIGSEGV)");
        assert_eq!(told(9, true), "signal 9 (SIGKILL): out of memory, the kernel killed it");
        assert!(told(9, false).ends_with("somebody killed it, or the kernel for want of memory"));
        assert_eq!(told(40, false), "signal 40");
    }
}
