//! What `up` started: a file per service with the process and its birth.
//!
//! A process id alone would not do: the kernel gives it to another process later. Together with
//! the machine's start and the moment of the process's own it is taken only once.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::Service;
use super::command::wait_until;
use super::place::Place;

/// How long a started process may take to write its id.
const PID_FILE_MAX: Duration = Duration::from_secs(10);

/// A process that `up` started and that still runs.
#[derive(Debug, PartialEq)]
pub struct Started {
    /// The process.
    pub pid: u32,
    /// When it was started, in seconds since 1970.
    pub at_s: u64,
    birth: String,
}

/// Remembers that the service is about to be started: whoever is interrupted before [`record`] is
/// still known to have started it.
pub fn announce(place: &Place, service: &Service) -> anyhow::Result<()> {
    write(place, service, &json!({ "started_at_s": now_s() }))
}

/// Remembers the process that was started for the service; waits for its id to be written.
pub fn record(place: &Place, service: &Service) -> anyhow::Result<u32> {
    let path = (service.pid_file)(place);
    let mut pid = None;
    wait_until(&format!("a process id in {}", path.display()), PID_FILE_MAX, || {
        pid = read_pid(&path);
        pid.map(drop).ok_or_else(|| "there is none".to_owned())
    })?;
    let pid = pid.context("the wait ended without a process id")?;
    let Some(birth) = birth(pid) else {
        bail!("process {pid} has ended at once");
    };
    write(place, service, &to_value(&Started { pid, at_s: now_s(), birth }))?;
    Ok(pid)
}

/// What was started for the service from this workspace, if it still runs.
pub fn find(place: &Place, service: &Service) -> Option<Started> {
    let path = path(place, service);
    let value: Value = serde_json::from_str(&fs::read_to_string(&path).ok()?).ok()?;
    if let Some(started) = from_value(&value) {
        return (birth(started.pid).as_ref() == Some(&started.birth)).then_some(started);
    }
    // It was only announced. A process id that was written later is what came of it.
    let pid_file = (service.pid_file)(place);
    if modified(&pid_file)? < modified(&path)? {
        return None;
    }
    let pid = read_pid(&pid_file)?;
    Some(Started { pid, at_s: value["started_at_s"].as_u64()?, birth: birth(pid)? })
}

/// Forgets what was started for the service.
pub fn forget(place: &Place, service: &Service) {
    // It may be missing; and what is left of it names a process that has ended.
    let _ = fs::remove_file(path(place, service));
}

/// When the process was born, different for every process; `None` when it has ended.
pub fn birth(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Some(format!("{} {}", boot.trim(), birth_ticks(&stat)?))
}

/// Seconds since 1970.
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

fn path(place: &Place, service: &Service) -> PathBuf {
    place.file(&format!("{}.json", service.name))
}

fn write(place: &Place, service: &Service, value: &Value) -> anyhow::Result<()> {
    let path = path(place, service);
    let write = fs::write(&path, format!("{value}\n"));
    write.with_context(|| format!("cannot write {}", path.display()))
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

fn read_pid(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn to_value(started: &Started) -> Value {
    let Started { pid, at_s, birth } = started;
    json!({ "pid": pid, "started_at_s": at_s, "birth": birth })
}

fn from_value(value: &Value) -> Option<Started> {
    Some(Started {
        pid: value["pid"].as_u64()?.try_into().ok()?,
        at_s: value["started_at_s"].as_u64()?,
        birth: value["birth"].as_str()?.to_owned(),
    })
}

/// Reads the start from `/proc/PID/stat`; `None` for a process that waits to be buried.
///
/// The second field, the program's name in parentheses, may have blanks and parentheses of its
/// own; the state is the third field, the start the twenty-second.
fn birth_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Started, birth, birth_ticks, from_value, to_value};

    const STAT: &str = "7 (a) b (c)) S 1 7 7 0 -1 4194304 98 0 0 0 0 0 0 0 20 0 1 0 629835 31 4";

    #[test]
    fn the_start_of_a_process_is_read_past_its_name() {
        assert_eq!(birth_ticks(STAT), Some(629_835));
        assert_eq!(birth_ticks("7 (a) S 1"), None);
        assert_eq!(birth_ticks(""), None);
    }

    #[test]
    fn a_process_that_waits_to_be_buried_has_ended() {
        assert_eq!(birth_ticks(&STAT.replace(") S", ") Z")), None);
    }

    #[test]
    fn what_is_written_is_read() {
        let started = Started { pid: 7, at_s: 1_800_000_000, birth: "a 629835".to_owned() };
        assert_eq!(from_value(&to_value(&started)), Some(started));
        assert_eq!(from_value(&serde_json::json!({ "started_at_s": 1_800_000_000 })), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_was_born_once() {
        let own = birth(std::process::id());
        assert!(own.is_some());
        assert_eq!(own, birth(std::process::id()));
        assert_eq!(birth(u32::MAX), None);
    }
}
