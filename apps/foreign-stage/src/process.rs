//! Processes that end with whoever started them.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::{Child, Command};

use crate::places::Places;
use crate::python::PROGRAMS;

/// A process that does not end in this time after it was told to is killed.
const END_MAX: Duration = Duration::from_secs(10);

/// A process. It is killed when this is dropped.
pub struct Process {
    name: String,
    child: Child,
}

impl Process {
    /// Starts it.
    pub fn start(name: &str, mut command: Command) -> anyhow::Result<Self> {
        let started = command.kill_on_drop(true).spawn();
        let child = started.with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name: name.to_owned(), child })
    }

    /// Waits for its end, which comes before its time. Cancel-safe.
    pub async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        self.child.wait().await.with_context(|| self.name.clone())
    }

    /// Tells it to end, and waits until it has. Nothing is done when it has ended before.
    pub async fn end(&mut self) -> anyhow::Result<()> {
        let Some(id) = self.child.id() else { return Ok(()) };
        let told = Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
        ensure!(told.success(), "{} cannot be told to end", self.name);
        if tokio::time::timeout(END_MAX, self.child.wait()).await.is_err() {
            eprintln!("{} does not end: it is killed", self.name);
            self.child.kill().await?;
        }
        Ok(())
    }

    /// Kills it as a crash would.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().await.with_context(|| self.name.clone())
    }

    /// What it is.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A process of ours that serves these stages.
pub fn ours(program: &Path, stage: &str, places: &Places) -> Command {
    let mut command = Command::new(program);
    command.args(["serve", stage]).envs(places.ours());
    command
}

/// A Python program, which is told nothing of Waystation.
pub fn theirs(python: &Path, program: impl AsRef<Path>, places: &Places) -> Command {
    let mut command = Command::new(python);
    // Relative names are those of the programs here.
    let program: PathBuf = Path::new(PROGRAMS).join(program);
    // Lines as they are printed, and nothing left beside the programs.
    command.args(["-u", "-B"]).arg(program).env("PYTHONPATH", PROGRAMS).envs(places.theirs());
    command
}
