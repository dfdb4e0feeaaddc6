//! The process that reads one document.

mod limits;

use std::io::{BufRead, BufReader, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::formats::{self, Refusal};
use super::program::parse_by;
use super::wire::{Answer, HELLO, Request, VARIABLE};

/// The longest request, in bytes.
const REQUEST_BYTES_MAX: u64 = 1 << 20;
/// Documents nest, and so do calls.
const STACK_BYTES: usize = 64 << 20;

/// Reads a document and ends the process, if it was started for that. Otherwise this program is
/// noted as the one to be started when a document is to be read.
///
/// To be called first in `main`: what comes before it is done by every parser, too.
pub fn parse_if_asked() {
    if is_asked() {
        std::process::exit(i32::from(parse().is_err()));
    }
    if let Ok(program) = std::env::current_exe() {
        parse_by(move || std::process::Command::new(&program));
    }
}

/// Says hello, reads what is to be done, does it and tells what came of it.
fn parse() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    // Somebody may have left a line unfinished, as test programs do.
    writeln!(out, "\n{HELLO}")?;
    out.flush()?;
    let mut line = String::new();
    BufReader::new(std::io::stdin().lock().take(REQUEST_BYTES_MAX)).read_line(&mut line)?;
    let request: Request = serde_json::from_str(&line)?;
    limits::hold(request.task.common())?;
    let worker = std::thread::Builder::new().name("parser".into()).stack_size(STACK_BYTES);
    let worker = worker.spawn(move || answer(&request))?;
    let answer = worker.join().map_err(|_| std::io::Error::other("the parser panicked"))?;
    out.write_all(&answer)?;
    writeln!(out)?;
    out.flush()
}

/// The answer, within the limit of what it may say.
fn answer(request: &Request) -> Vec<u8> {
    let bytes_max = request.task.common().max_output_bytes;
    let read = catch_unwind(AssertUnwindSafe(|| formats::read(request)));
    let read = read.unwrap_or_else(|panic| Err(Refusal::panicked(&*panic)));
    let written = read.and_then(|read| {
        let answer = Answer::Read { said: read.said, facts: read.facts.into_params() };
        let bytes = serde_json::to_vec(&answer).map_err(|error| Refusal::broken(&error))?;
        if bytes.len() as u64 > bytes_max { Err(Refusal::long(bytes_max)) } else { Ok(bytes) }
    });
    written.unwrap_or_else(|Refusal(why)| {
        // A text can always be written.
        serde_json::to_vec(&Answer::Refused(why)).unwrap_or_default()
    })
}

/// Whether this process was started by one that waits for its answer. What a parser starts inherits
/// the variable, but has another parent.
fn is_asked() -> bool {
    let Ok(said) = std::env::var(VARIABLE) else { return false };
    #[cfg(unix)]
    return said == std::os::unix::process::parent_id().to_string();
    #[cfg(not(unix))]
    return !said.is_empty();
}
