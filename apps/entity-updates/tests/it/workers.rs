//! Processes that apply updates, and die.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A home for entities, and where the jobs are.
pub struct Place {
    pub home: PathBuf,
    pub store: String,
    /// The broker beside the store.
    pub queue: Option<String>,
}

/// A process of the program. Killed when it is dropped.
pub struct Process(pub Child, Instant);

/// How long a process may take until it has opened its store.
const OPENS: Duration = Duration::from_secs(3);

impl Place {
    /// The program with these arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_entity-updates"));
        command.arg("--home").arg(&self.home).args(["--store", &self.store]).args(arguments);
        if let Some(queue) = &self.queue {
            command.args(["--queue", queue]);
        }
        command.stdin(Stdio::null());
        command
    }

    /// A worker, whose updates are others' two seconds after it died.
    pub fn worker(&self) -> Process {
        let mut command = self.command(&["work", "--lease", "2"]);
        command.env("WAYSTATION_LOG", "off");
        Process::start(command)
    }
}

impl Process {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        Self(command.spawn().expect("the program starts"), Instant::now())
    }

    /// Whether it may have been opening its store at this moment: one that cannot, ends.
    pub fn was_opening(&self, at: Instant) -> bool {
        self.1 <= at && self.1 + OPENS > at
    }

    /// Ends it without a word of warning.
    pub fn kill(&mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it has ended");
    }

    /// Asks it to end, and waits until it has.
    pub fn end(&mut self) {
        let id = self.0.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        assert!(sent.success());
        let ended = self.0.wait().expect("it ends");
        // One that has only begun does not listen yet.
        let at_once = ended.signal() == Some(15);
        assert!(ended.success() || at_once, "{ended}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
