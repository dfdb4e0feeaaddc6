//! `exec`: any program as a stage.
//!
//! The contract goes to its stdin as one line of JSON. The last line of its stdout that is not
//! empty is the JSON object of params that it adds; earlier lines and all of stderr go into the
//! job's log. Exit code 0 is success, 75 (`EX_TEMPFAIL`) asks for another attempt, any other is
//! final. On abort, timeout and shutdown its process group gets SIGTERM, and SIGKILL after the
//! grace period.

mod lines;
mod process;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, Command as Program};
use waystation_core::Params;
use waystation_core::event::Level;
use waystation_core::failure::{ErrorKind, Failure, MESSAGE_BYTES_MAX, truncate};
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::id::Label;
use waystation_core::pipeline::Executor;

use crate::settings;
use lines::{LINE_BYTES_MAX, Line, Lines};
use process::Group;
#[cfg(feature = "documents")]
pub use process::signal as end_of;

/// Asks for another attempt.
const EXIT_RETRY: i32 = 75;
/// The key of the printed object that carries the label instead of a param.
const LABEL_KEY: &str = "$outcome";

struct Exec {
    /// The program and its arguments.
    command: Vec<String>,
    directory: Option<PathBuf>,
    environment: Vec<(String, String)>,
}

/// What a stage of this type is told.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The program with its arguments. A list is run as it is, a text by `sh -c`.
    command: Command,
    /// Where it runs; the working directory of the engine unless said.
    #[schemars(length(min = 1))]
    directory: Option<PathBuf>,
    /// Variables of its environment, beside those of the engine.
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Command {
    Shell(#[schemars(length(min = 1), regex(pattern = r"\S"))] String),
    List(#[schemars(length(min = 1))] Vec<String>),
}

/// Makes a stage of it.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    let Settings { command, directory, environment } = settings::read(params)?;
    let command = match command {
        Command::Shell(text) => vec!["sh".to_owned(), "-c".to_owned(), text],
        Command::List(list) => list,
    };
    let environment = environment.into_iter().collect();
    Ok(Executor::Worker(Arc::new(Exec { command, directory, environment })))
}

#[async_trait]
impl Handler for Exec {
    async fn run(&self, context: Context, _params: Params) -> Result<Completion, Failure> {
        let mut child = self.command(&context).spawn().map_err(|error| self.no_start(&error))?;
        let group = Group::of(&child);
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let talk = async {
            let ((), last, complaint) = tokio::join!(
                feed(stdin, &context.contract),
                listen(stdout.map(BufReader::new), &context),
                relay(stderr.map(BufReader::new), &context),
            );
            let status = child.wait().await;
            (status, last, complaint)
        };
        tokio::pin!(talk);
        let (status, last, complaint) = tokio::select! {
            ended = &mut talk => ended,
            () = context.cancellation.cancelled() => {
                group.terminate();
                // The engine drops this future when the grace period is over, and with it the
                // group's guard, which kills.
                talk.await
            }
        };
        group.is_over();
        let status = status.map_err(|error| Failure::from_error(ErrorKind::Error, &error))?;
        if !status.success()
            && let Some(line) = last.as_ref().filter(|line| is_object(line))
        {
            context.log(Level::Debug, &line.text);
        }
        // What a program says last is most often why it gave up.
        let complaint = complaint.or_else(|| last.as_ref().map(|line| line.text.clone()));
        self.judge(status, last).map_err(|mut failure| {
            if failure.kind != ErrorKind::Contract {
                failure.causes.extend(complaint);
            }
            failure
        })
    }
}

impl Exec {
    fn command(&self, context: &Context) -> Program {
        // `build` takes no empty list.
        let (program, arguments) = self.command.split_at(1);
        let mut command = Program::new(&program[0]);
        command
            .args(arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("WAYSTATION_JOB_ID", context.job_id.as_str())
            .env("WAYSTATION_STAGE", context.stage.as_str())
            .env("WAYSTATION_ATTEMPT", context.attempt.to_string())
            .env("WAYSTATION_IDEMPOTENCY_KEY", context.idempotency_key())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true);
        if let Some(traceparent) = &context.traceparent {
            command.env("TRACEPARENT", traceparent.as_str());
        }
        #[cfg(unix)]
        command.process_group(0);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }

    fn no_start(&self, error: &std::io::Error) -> Failure {
        let place = self.directory.as_ref().map(|path| format!(" in {}", path.display()));
        let message =
            format!("cannot start `{}`{}", self.command.join(" "), place.unwrap_or_default());
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied => {
                ErrorKind::Permanent
            }
            _ => ErrorKind::Transient,
        };
        let mut failure = Failure::new(kind, message);
        failure.causes.push(error.to_string());
        failure
    }

    /// From the exit and the last line to the outcome.
    fn judge(&self, status: ExitStatus, last: Option<Line>) -> Result<Completion, Failure> {
        let program = &self.command.join(" ");
        match status.code() {
            Some(0) => params_of(program, last),
            Some(EXIT_RETRY) => Err(Failure::transient(format!("`{program}` asks for a retry"))),
            Some(code) => {
                let message = format!("`{program}` ended with exit code {code}");
                Err(Failure::new(ErrorKind::Permanent, message))
            }
            // Killed from outside, as by the system when memory runs out: that may pass.
            None => {
                let message = format!("`{program}` was ended by {}", process::signal(status));
                Err(Failure::new(ErrorKind::Error, message))
            }
        }
    }
}

fn params_of(program: &str, last: Option<Line>) -> Result<Completion, Failure> {
    let contract = |what: String| Failure::new(ErrorKind::Contract, what);
    let Some(line) = last else { return Ok(Completion::default()) };
    if line.cut {
        return Err(contract(format!(
            "the last stdout line of `{program}` is longer than {LINE_BYTES_MAX} bytes"
        )));
    }
    let mut output: Params = serde_json::from_str(&line.text).map_err(|error| {
        let mut shown = line.text.clone();
        truncate(&mut shown, 200);
        contract(format!(
            "the last stdout line of `{program}` is not a JSON object: {error}: `{shown}`"
        ))
    })?;
    let label = match output.shift_remove(LABEL_KEY) {
        None => Label::ok(),
        Some(Value::String(label)) => Label::from(label),
        Some(other) => return Err(contract(format!("`{LABEL_KEY}` must be a text, not {other}"))),
    };
    Ok(Completion { output, label })
}

/// Writes the contract. A program that does not read it is none of our business.
async fn feed(stdin: Option<ChildStdin>, contract: &[u8]) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(contract).await;
        let _ = stdin.write_all(b"\n").await;
    }
}

/// Relays stdout. The last line that may be the result is held back and given back; whatever
/// else is said goes into the log at once.
async fn listen<R: tokio::io::AsyncBufRead + Unpin>(
    stdout: Option<R>,
    context: &Context,
) -> Option<Line> {
    let mut lines = Lines::new(stdout?);
    let mut last: Option<Line> = None;
    while let Some(line) = lines.next().await {
        if line.text.trim().is_empty() {
            continue;
        }
        if let Some(earlier) = last.take_if(|earlier| is_object(earlier)) {
            context.log(Level::Debug, &earlier.text);
        }
        if !is_object(&line) {
            context.log(Level::Debug, &line.text);
        }
        last = Some(line);
    }
    last
}

/// Whether a line may be the result.
fn is_object(line: &Line) -> bool {
    line.text.trim_start().starts_with('{')
}

/// Relays stderr; gives its last line that is not empty.
async fn relay<R: tokio::io::AsyncBufRead + Unpin>(
    stderr: Option<R>,
    context: &Context,
) -> Option<String> {
    let mut lines = Lines::new(stderr?);
    let mut last = None;
    while let Some(line) = lines.next().await {
        context.log(Level::Info, &line.text);
        if !line.text.trim().is_empty() {
            last = Some(line.text);
        }
    }
    if let Some(last) = &mut last {
        truncate(last, MESSAGE_BYTES_MAX);
    }
    last
}
