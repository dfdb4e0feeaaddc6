//! A worker as a process of its own.

use std::io;
use std::process::{Command, Stdio};

use futures_util::StreamExt;
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::sync::CancellationToken;

use super::line::Line;
use super::reason;
use super::watch::{Heard, Saying};

/// The longest line of a worker's output.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// A worker's process that runs. When this is dropped, it is killed.
pub struct Process {
    /// Its number.
    pub pid: Option<u32>,
    /// Its input: it ends when this does.
    input: Option<ChildStdin>,
    kill: CancellationToken,
}

impl Process {
    /// Starts one. What it says, and that it ended, goes to `heard`.
    pub fn start(command: Command, saying: Saying, heard: mpsc::Sender<Heard>) -> io::Result<Self> {
        let mut command = tokio::process::Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        // Signals of a terminal are the supervisor's, which ends its workers in its own way.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn()?;
        let (pid, input) = (child.id(), child.stdin.take());
        let output = child.stdout.take();
        let kill = CancellationToken::new();
        tokio::spawn(listen(child, output, saying, heard, kill.clone()));
        Ok(Self { pid, input, kill })
    }

    /// Tells it to end when what it has in hand has.
    pub fn drain(&mut self) {
        self.input = None;
    }

    /// Kills it.
    pub fn kill(&self) {
        self.kill.cancel();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill.cancel();
    }
}

async fn listen(
    mut child: Child,
    output: Option<ChildStdout>,
    saying: Saying,
    heard: mpsc::Sender<Heard>,
    kill: CancellationToken,
) {
    let killed_before = reason::killed_for_memory();
    let mut failure = None;
    let reading = async {
        let Some(output) = output else { return };
        let mut lines = FramedRead::new(output, LinesCodec::new_with_max_length(LINE_BYTES_MAX));
        while let Some(line) = lines.next().await {
            let Ok(text) = line else { continue };
            match Line::parse(&text) {
                Some(Line::Fails(why)) => failure = Some(why),
                Some(line) => drop(heard.send(saying.line(line)).await),
                None => tracing::info!(worker = %saying.assignment, "{text}"),
            }
        }
    };
    tokio::select! {
        () = reading => {}
        () = kill.cancelled() => {
            if let Err(error) = child.start_kill() {
                tracing::debug!(worker = %saying.assignment, %error, "it is gone already");
            }
        }
    }
    // It may close its output and go on.
    let status = tokio::select! {
        status = child.wait() => status,
        () = kill.cancelled() => {
            let _ = child.start_kill();
            child.wait().await
        }
    };
    let reason = match status {
        Ok(status) if status.success() => None,
        Ok(status) => {
            let for_memory = reason::killed_for_memory() > killed_before;
            let how = reason::of_exit(status, for_memory);
            Some(failure.map_or_else(|| how.clone(), |why| format!("{how}: {why}")))
        }
        Err(error) => Some(format!("its end cannot be told: {error}")),
    };
    let _ = heard.send(saying.ended(reason)).await;
}
