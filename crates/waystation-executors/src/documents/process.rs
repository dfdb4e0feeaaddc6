//! A parser as its worker sees it: started, asked, heard, and ended at the latest when its time is
//! over.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use waystation_core::event::Level;
use waystation_core::failure::{ErrorKind, Failure, truncate};
use waystation_core::handler::Context;

use super::program;
use super::settings::Common;
use super::wire::{Answer, HELLO, Request, VARIABLE};

/// How long a parser may take to say hello.
const HELLO_WAIT: Duration = Duration::from_secs(20);
/// What may be said before hello, in bytes.
const BEFORE_HELLO_MAX: u64 = 64 << 10;
/// What an answer may have beside what is read, in bytes.
const ENVELOPE_BYTES: u64 = 64 << 10;
/// What is kept of a parser's complaints, in bytes.
const COMPLAINT_BYTES_MAX: usize = 8 << 10;

/// Has a parser do it.
pub async fn ask(context: &Context, request: &Request, shown: &str) -> Result<Answer, Failure> {
    let common = request.task.common();
    let mut child = start()?;
    let limit = Duration::from_secs(common.max_seconds);
    tokio::select! {
        answer = converse(&mut child, context, request, shown) => answer,
        () = tokio::time::sleep(limit) => {
            let message = format!(
                "cannot read {shown}: slow: its parser did not end within {} s \
                 (hint: `max_seconds`)",
                common.max_seconds
            );
            Err(Failure::new(ErrorKind::Timeout, message))
        }
        // The child is killed when it is dropped.
        () = context.cancellation.cancelled() => {
            Err(Failure::new(ErrorKind::Aborted, format!("{shown} was no longer to be read")))
        }
    }
}

fn start() -> Result<Child, Failure> {
    let Some(command) = program::command() else {
        let message = "this program reads no documents, since it never called `parse_if_asked` \
                       (hint: call `waystation::parse_if_asked()` first in `main`)";
        return Err(Failure::new(ErrorKind::Permanent, message));
    };
    let shown = format!("{}", command.get_program().display());
    let mut command = Command::from(command);
    command
        .env_clear()
        .env(VARIABLE, std::process::id().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command.spawn().map_err(|error| {
        let message = format!("cannot start {shown} to read a document");
        let mut failure = Failure::new(ErrorKind::Transient, message);
        failure.causes.push(error.to_string());
        failure
    })
}

/// Asks and listens until the parser is gone.
async fn converse(
    child: &mut Child,
    context: &Context,
    request: &Request,
    shown: &str,
) -> Result<Answer, Failure> {
    let common = request.task.common();
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
        return Err(Failure::new(ErrorKind::Error, "a parser has no pipes"));
    };
    let listen = async {
        let mut stdout = BufReader::new(stdout);
        hello(&mut stdout).await?;
        tell(stdin, request).await?;
        let mut answer = Vec::new();
        let most = common.max_output_bytes.saturating_add(ENVELOPE_BYTES);
        // One that ends without an answer says by its end why.
        let _ = stdout.take(most).read_to_end(&mut answer).await;
        Ok::<_, Failure>(answer)
    };
    let complaint = complaint(stderr);
    tokio::pin!(listen);
    tokio::pin!(complaint);
    let (answer, complaint) = tokio::select! {
        // One that says no hello may go on for long.
        answer = &mut listen => (answer?, complaint.await),
        complaint = &mut complaint => (listen.await?, complaint),
    };
    let status =
        child.wait().await.map_err(|error| Failure::from_error(ErrorKind::Error, &error))?;
    for line in complaint.lines().filter(|line| !line.trim().is_empty()) {
        context.log(Level::Debug, line);
    }
    if status.success()
        && let Ok(answer) = serde_json::from_slice(&answer)
    {
        return Ok(answer);
    }
    Err(ended(common, shown, status, &complaint))
}

/// Waits until the parser says that it is one.
async fn hello<R: AsyncRead + Unpin>(stdout: &mut BufReader<R>) -> Result<(), Failure> {
    let said = async {
        let mut lines = stdout.take(BEFORE_HELLO_MAX);
        let mut line = Vec::new();
        loop {
            line.clear();
            match lines.read_until(b'\n', &mut line).await {
                Ok(count) if count > 0 => {}
                _ => return false,
            }
            if line.trim_ascii_end() == HELLO.as_bytes() {
                return true;
            }
        }
    };
    match tokio::time::timeout(HELLO_WAIT, said).await {
        Ok(true) => return Ok(()),
        Ok(false) => {}
        // The machine may have too much to do, and less later.
        Err(_) => {
            let seconds = HELLO_WAIT.as_secs();
            let message = format!("a parser did not begin within {seconds} s");
            return Err(Failure::new(ErrorKind::Timeout, message));
        }
    }
    let message = "the program that was to read a document did something else (hint: it must call \
                   `waystation::parse_if_asked()` first in `main`)";
    Err(Failure::new(ErrorKind::Permanent, message))
}

async fn tell(mut stdin: ChildStdin, request: &Request) -> Result<(), Failure> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    // One that does not listen says by its end why.
    let _ = stdin.write_all(&line).await;
    Ok(())
}

/// What a parser says on stderr: the end of it, where it is long.
async fn complaint<R: AsyncRead + Unpin>(mut stderr: R) -> String {
    let mut kept: Vec<u8> = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..count]);
        let surplus = kept.len().saturating_sub(COMPLAINT_BYTES_MAX);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// Why a parser that gave no answer ended.
fn ended(common: &Common, shown: &str, status: ExitStatus, complaint: &str) -> Failure {
    let refused = |why: String| {
        let message = format!("cannot read {shown}: {why}");
        Failure::new(ErrorKind::Permanent, message)
    };
    if complaint.contains("memory allocation of") {
        return refused(format!(
            "large: its parser needs more than {} bytes of memory (hint: `max_memory_bytes`)",
            common.max_memory_bytes
        ));
    }
    if complaint.contains("overflowed its stack") {
        return refused("nested too deeply: something in it may contain itself".to_owned());
    }
    let signal = signal(status);
    #[cfg(unix)]
    if signal == Some(rustix::process::Signal::XCPU.as_raw()) {
        return refused(format!(
            "slow: its parser takes more than {} s of a processor \
             (hint: `max_processor_seconds`)",
            common.max_processor_seconds
        ));
    }
    let end = crate::exec::end_of(status);
    let mut failure = refused(format!("broken: its parser was ended by {end}"));
    // Killed from outside, as by the system when memory runs out: that may pass.
    if signal == Some(KILL) {
        failure.kind = ErrorKind::Error;
    }
    let mut complaint = complaint.trim().to_owned();
    if !complaint.is_empty() {
        truncate(&mut complaint, 1_000);
        failure.causes.push(complaint);
    }
    failure
}

/// The number of the signal that kills.
const KILL: i32 = 9;

fn signal(status: ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    return None;
}
