//! The driver of a browser, with everything that it starts: one group of processes.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use tempfile::TempDir;

/// What the leader of the group does. It kills the group once its stdin closes, which it does
/// however the test ends. The driver alone holds its stdout, so that its absence shows.
const LEADER: &str = "exec 3>&1 >/dev/null; chromedriver --port=0 </dev/null >&3 3>&- & \
                      exec 3>&-; cat; kill -KILL 0";

/// A driver that listens. It ends with the value.
pub struct Driver {
    leader: Child,
    address: String,
    profile: TempDir,
}

impl Driver {
    /// Starts one.
    pub fn start(wait_max: Duration) -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let mut leader = Command::new("sh");
        leader.args(["-c", LEADER]).process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        // A browser that is killed leaves its temporary files.
        leader.env("TMPDIR", profile.path());
        let mut leader = leader.spawn().expect("a shell");
        let said = leader.stdout.take().expect("it is piped");
        let mut driver = Self { leader, address: String::new(), profile };
        driver.address = format!("http://127.0.0.1:{}", port(said, wait_max));
        driver
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The number of the group.
    pub fn group(&self) -> u32 {
        self.leader.id()
    }

    /// Where the browser keeps what it keeps.
    pub fn profile(&self) -> &Path {
        self.profile.path()
    }
}

/// The port at which the driver says that it listens. What it says later is read, and passed over.
fn port(said: ChildStdout, wait_max: Duration) -> u16 {
    let (send, found) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(said).lines().map_while(Result::ok) {
            let behind = line.rsplit_once("started successfully on port ");
            if let Some(port) = behind.and_then(|(_, rest)| rest.strip_suffix('.')?.parse().ok()) {
                let _ = send.send(port);
            }
        }
    });
    let found = found.recv_timeout(wait_max);
    found.expect("chromedriver starts (Debian: chromium, chromium-driver)")
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.leader.stdin.take());
        let _ = self.leader.wait();
    }
}
