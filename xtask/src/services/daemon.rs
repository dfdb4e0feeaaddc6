//! Servers that know nothing of being daemons: Debian's `start-stop-daemon` makes them one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::command::{self, system, wait_until};
use super::place::Place;
use super::started;

const COMMAND_MAX: Duration = Duration::from_secs(20);
const END_MAX: Duration = Duration::from_mins(1);

/// A program to be run in the background by a user of its own.
pub struct Daemon<'a> {
    /// The service's name.
    pub name: &'a str,
    /// Who runs it.
    pub user: &'a str,
    /// Its working folder.
    pub home: &'a Path,
    /// Its environment, beside what every command of the system gets.
    pub environment: &'a [(&'a str, String)],
}

impl Daemon<'_> {
    /// Starts the program, its output going to [`log`], and its process id to [`pid_file`].
    ///
    /// It gets a session of its own: neither Ctrl-C nor the end of a terminal reaches it.
    pub fn start(&self, place: &Place, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let pid_file = pid_file(place, self.name);
        let log = log(place, self.name);
        // A process id of an earlier run may be somebody else's by now, and its log misleads.
        for stale in [&pid_file, &log] {
            let _ = fs::remove_file(stale);
        }
        let mut start = system("start-stop-daemon");
        start.args(["--start", "--background", "--make-pidfile", "--pidfile"]).arg(&pid_file);
        start.args(["--chuid", self.user, "--chdir"]).arg(self.home);
        start.arg("--output").arg(log);
        start.args(["--startas", program, "--"]).args(arguments);
        start.envs(self.environment.iter().map(|(key, value)| (key, value)));
        command::run(start, &place.commands_log(self.name), COMMAND_MAX)
    }
}

/// Where the output of the service's daemon goes.
pub fn log(place: &Place, name: &str) -> PathBuf {
    place.file(&format!("{name}.log"))
}

/// Where the process id of the service's daemon stands.
pub fn pid_file(place: &Place, name: &str) -> PathBuf {
    place.file(&format!("{name}.pid"))
}

/// Asks the process to end.
pub fn stop(place: &Place, name: &str, pid: u32) -> anyhow::Result<()> {
    let mut kill = system("kill");
    kill.args(["-TERM", &pid.to_string()]);
    command::run(kill, &place.commands_log(name), COMMAND_MAX)
}

/// Waits until the process has ended.
pub fn wait_for_end(pid: u32) -> anyhow::Result<()> {
    wait_until(&format!("the end of process {pid}"), END_MAX, || match started::birth(pid) {
        Some(_) => Err("it is still there".to_owned()),
        None => Ok(()),
    })
}
