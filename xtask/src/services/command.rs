//! Commands of the system: a clean environment, a limit on their time, output to a log.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::cargo::shown;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const POLL: Duration = Duration::from_millis(20);
/// How long a command may take to end once it was asked to.
const TERMINATE_MAX: Duration = Duration::from_secs(10);
/// How much of a log an error shows.
const TAIL_LINES: usize = 20;
/// RabbitMQ has lines of ten thousand characters.
const TAIL_COLUMNS: usize = 300;

/// A command that knows nothing of ours: cargo's variables (its library path above all) are no
/// business of a server that outlives us.
pub fn system(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", PATH).env("LC_ALL", "C.UTF-8").current_dir("/");
    command.stdin(Stdio::null());
    command
}

/// The same as another user; only root can do that.
pub fn system_as(user: &str, program: &str) -> Command {
    let mut command = system("setpriv");
    command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--init-groups", "--"]);
    command.arg(program);
    command
}

/// Runs the command to its end, its output going to the end of `log`, and to the error if it fails.
pub fn run(mut command: Command, log: &Path, limit: Duration) -> anyhow::Result<()> {
    let shown = shown(&command);
    let (mut file, start) = open_log(log)?;
    writeln!(file, "$ {shown}").with_context(|| format!("cannot write {}", log.display()))?;
    command.stdout(file.try_clone()?).stderr(file);
    let ended = match wait(&mut spawn(&mut command)?, limit)? {
        Some(status) if status.success() => return Ok(()),
        Some(status) => format!("ended with {status}"),
        None => format!("did not end within {} s", limit.as_secs()),
    };
    bail!("`{shown}` {ended}\n{}", tail_of(log, start))
}

/// Runs the command and returns its stdout; meant for short output.
pub fn output(mut command: Command, limit: Duration) -> anyhow::Result<String> {
    let shown = shown(&command);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn(&mut command)?;
    let Some(status) = wait(&mut child, limit)? else {
        bail!("`{shown}` did not end within {} s", limit.as_secs());
    };
    let output = child.wait_with_output().with_context(|| format!("cannot read from `{shown}`"))?;
    if !status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}` ended with {status}: {}", stderr.trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The last lines of the file, indented, below a line that names it.
pub fn tail(log: &Path) -> String {
    tail_of(log, 0)
}

/// Tries until it works; `what` is named, with the last failure, when the limit is over.
pub fn wait_until(
    what: &str,
    limit: Duration,
    mut attempt: impl FnMut() -> Result<(), String>,
) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        let Err(failure) = attempt() else {
            return Ok(());
        };
        if start.elapsed() >= limit {
            bail!("waited {} s for {what}: {failure}", limit.as_secs());
        }
        sleep(POLL * 5);
    }
}

fn spawn(command: &mut Command) -> anyhow::Result<Child> {
    command.spawn().with_context(|| format!("cannot start `{}`", shown(command)))
}

/// `None` when the time was over first; the process has ended in any case.
fn wait(child: &mut Child, limit: Duration) -> anyhow::Result<Option<ExitStatus>> {
    if let Some(status) = wait_for_end(child, limit)? {
        return Ok(Some(status));
    }
    // apt-get and its like put their locks in order when they are asked to end.
    let _ = system("kill").arg("-TERM").arg(child.id().to_string()).status();
    if wait_for_end(child, TERMINATE_MAX)?.is_none() {
        child.kill()?;
        child.wait()?;
    }
    Ok(None)
}

fn wait_for_end(child: &mut Child, limit: Duration) -> anyhow::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        let status = child.try_wait()?;
        if status.is_some() || start.elapsed() >= limit {
            return Ok(status);
        }
        sleep(POLL);
    }
}

/// Opens the log for appending, and tells where its end is.
fn open_log(log: &Path) -> anyhow::Result<(File, u64)> {
    let open = || {
        let mut file = OpenOptions::new().create(true).append(true).open(log)?;
        let end = file.seek(SeekFrom::End(0))?;
        std::io::Result::Ok((file, end))
    };
    open().with_context(|| format!("cannot open {}", log.display()))
}

fn tail_of(log: &Path, start: u64) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(bytes.get(start as usize..).unwrap_or_default());
    let lines = last_lines(&text);
    if lines.is_empty() {
        return format!("(nothing in {})", log.display());
    }
    format!("the end of {}:\n{lines}", log.display())
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    let shorten = |line: &&str| match line.char_indices().nth(TAIL_COLUMNS) {
        Some((end, _)) => format!("    {} …", &line[..end]),
        None => format!("    {line}"),
    };
    last.iter().map(shorten).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;
    use std::{env, fs, process};

    use super::{last_lines, output, run, system, wait_until};

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn the_tail_is_the_last_lines_with_something_on_them() {
        let lines: Vec<String> = (1..=30).map(|line| format!("line {line}")).collect();
        let tail = last_lines(&lines.join("\n\n"));
        assert!(tail.starts_with("    line 11\n"), "{tail}");
        assert!(tail.ends_with("    line 30"), "{tail}");
        assert_eq!(last_lines("\n \n"), "");
        assert_eq!(last_lines(&"é".repeat(400)), format!("    {} …", "é".repeat(300)));
    }

    #[test]
    fn a_failed_command_shows_what_it_alone_wrote() {
        let log = env::temp_dir().join(format!("xtask-command-{}.log", process::id()));
        fs::write(&log, "of another one\n").unwrap();
        let mut command = system("sh");
        command.args(["-c", "echo good; echo bad >&2; exit 3"]);
        let failed = run(command, &log, LIMIT);
        fs::remove_file(&log).unwrap();
        let message = failed.expect_err("the command fails").to_string();
        assert!(message.starts_with("`sh -c "), "{message}");
        assert!(message.contains("ended with exit status: 3\nthe end of "), "{message}");
        assert!(message.ends_with("    good\n    bad"), "{message}");
        assert!(!message.contains("of another one"), "{message}");
    }

    #[test]
    fn a_command_ends_at_its_limit() {
        let mut command = system("sleep");
        command.arg("60");
        let message = output(command, Duration::ZERO).expect_err("the limit is zero").to_string();
        assert_eq!(message, "`sleep 60` did not end within 0 s");
    }

    #[test]
    fn a_wait_without_success_says_for_what_and_why() {
        let waited = wait_until("the moon", Duration::ZERO, || Err("it is day".to_owned()));
        let message = waited.expect_err("the attempt never works").to_string();
        assert_eq!(message, "waited 0 s for the moon: it is day");
        wait_until("nothing", Duration::ZERO, || Ok(())).unwrap();
    }
}
