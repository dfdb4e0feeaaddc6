//! Workers as processes of the program that supervises them: the same program, called the same way,
//! and told by a variable which worker it is.

use std::ffi::OsString;
use std::process::Command;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use waystation_core::port;
use waystation_engine::supervisor::{Assignment, Launch, Work, work};

use crate::signals::Signals;

/// Says which worker a process is, and whose.
const VARIABLE: &str = "WAYSTATION_WORKER";

/// Which worker this process is, where a supervisor started it. Programs that a worker starts
/// inherit the variable; they have another parent.
pub fn assignment() -> Option<Assignment> {
    let said = std::env::var(VARIABLE).ok()?;
    let (parent, assignment) = said.split_once(' ')?;
    (parent == parent_id().to_string()).then(|| serde_json::from_str(assignment).ok()).flatten()
}

/// Has workers started by calling this program again as it was called.
pub fn processes() -> std::io::Result<Launch> {
    let program = std::env::current_exe()?;
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    Ok(by(move || {
        let mut command = Command::new(&program);
        command.args(&arguments);
        command
    }))
}

/// Has workers started by such a command, whose program asks for its [`assignment`].
pub fn by(command: impl Fn() -> Command + Send + Sync + 'static) -> Launch {
    Launch::Processes(Arc::new(move |assignment: &Assignment| {
        // Words and numbers can always be written.
        let said = serde_json::to_string(assignment).unwrap_or_default();
        let mut command = command();
        command.env(VARIABLE, format!("{} {said}", std::process::id()));
        command
    }))
}

/// Works as this worker until the supervisor or a signal says to end.
pub async fn run(what: Work, assignment: Assignment) -> Result<(), port::Error> {
    let drain = CancellationToken::new();
    match Signals::listen() {
        Ok(mut signals) => {
            let told = drain.clone();
            tokio::spawn(async move {
                signals.next().await;
                told.cancel();
            });
        }
        Err(error) => tracing::warn!(%error, "signals are not heard"),
    }
    work(what, assignment, drain).await
}

fn parent_id() -> u32 {
    #[cfg(unix)]
    return std::os::unix::process::parent_id();
    #[cfg(not(unix))]
    return 0;
}
