//! Messages for DP3, one a line, each looked at before the first one is sent.

use std::io::Read;

use waystation::backends::dp3::{EidKind, Feed, Kinds, MESSAGE_BYTES_MAX, Message};

use super::parse_feed;
use crate::cli::exit::Error;
use crate::cli::out;

/// The largest input, in bytes: all of it is held while it is looked at.
const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// So many bad lines are shown.
const SHOWN_MAX: usize = 20;
/// So much of a line is shown.
const LETTERS_MAX: usize = 300;

/// Where messages come from.
#[derive(clap::Args)]
pub struct Lines {
    /// The messages, as JSON, one a line; - for stdin
    #[arg(value_name = "FILE|-")]
    file: String,
    /// What they are: tasks, snapshots or control
    #[arg(long, value_name = "WHAT", default_value = "tasks", value_parser = parse_feed)]
    feed: Feed,
    /// What the ids of an entity type are: string, int, ipv4, ipv6 or mac, as DP3's model says
    #[arg(long = "eid", value_name = "ETYPE=KIND", value_parser = parse_kind)]
    eids: Vec<(String, EidKind)>,
}

/// A message, and the line that it stood on.
pub struct Line {
    pub number: usize,
    pub message: Message,
}

fn parse_kind(text: &str) -> Result<(String, EidKind), String> {
    let known = || EidKind::ALL.map(EidKind::as_str).join(", ");
    let pair = text.split_once('=').filter(|(etype, _)| !etype.is_empty());
    let (etype, word) = pair.ok_or("ETYPE=KIND is due")?;
    let kind =
        EidKind::parse(word).ok_or_else(|| format!("no kind of ids (known: {})", known()))?;
    Ok((etype.to_owned(), kind))
}

impl Lines {
    /// All of them, or everything that is wrong with them.
    pub fn read(&self) -> Result<Vec<Line>, Error> {
        let bytes = self.bytes()?;
        let kinds = self
            .eids
            .iter()
            .fold(Kinds::default(), |kinds, (etype, kind)| kinds.with(etype, *kind));
        let mut lines = Vec::new();
        let mut wrong = Vec::new();
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let number = index + 1;
            match self.parse(line, &kinds) {
                Ok(message) => lines.push(Line { number, message }),
                Err(why) => wrong.push(format!("{}:{number}: {why}", self.origin())),
            }
        }
        match (lines.len(), wrong.len()) {
            (0, 0) => Err(Error::usage(format!("{} is empty: nothing was sent", self.origin()))),
            (_, 0) => Ok(lines),
            (good, bad) => {
                let all = out::counted(good + bad, "line");
                let mut shown: Vec<_> = wrong
                    .iter()
                    .take(SHOWN_MAX)
                    .map(|line| out::short(line, LETTERS_MAX))
                    .collect();
                if bad > SHOWN_MAX {
                    shown.push(format!("and {} more", bad - SHOWN_MAX));
                }
                let message = format!("{bad} of {all} cannot be sent: nothing was sent");
                Err(Error::usage(message).after_lines(&shown))
            }
        }
    }

    fn parse(&self, line: &[u8], kinds: &Kinds) -> Result<Message, String> {
        let message = Message::parse(self.feed, line, kinds).map_err(|wrong| wrong.to_string())?;
        let entities: Vec<_> = match &message {
            Message::Task(task) => vec![(&task.etype, &task.eid)],
            Message::Snapshot(snapshot) => {
                snapshot.entities.iter().map(|(etype, eid)| (etype, eid)).collect()
            }
            Message::Control(_) => Vec::new(),
        };
        for (etype, eid) in entities {
            if let Some((kind, spelt)) = kinds.second_spelling(etype, eid) {
                let kind = kind.as_str();
                return Err(format!(
                    "eid is `{eid}`: as an id of kind {kind} it is written `{spelt}`, and which it \
                     is decides whose it is (hint: --eid {etype}={kind} or --eid {etype}=string)"
                ));
            }
        }
        let bytes = message.to_bytes().map_err(|wrong| wrong.to_string())?.len();
        if bytes > MESSAGE_BYTES_MAX {
            return Err(format!(
                "{bytes} bytes are more than the {MESSAGE_BYTES_MAX} of a message"
            ));
        }
        Ok(message)
    }

    fn bytes(&self) -> Result<Vec<u8>, Error> {
        let reader: Box<dyn Read> = if self.file == "-" {
            Box::new(std::io::stdin())
        } else {
            let file = std::fs::File::open(&self.file);
            Box::new(
                file.map_err(|error| Error::usage(format!("cannot read {}: {error}", self.file)))?,
            )
        };
        let mut bytes = Vec::new();
        reader
            .take(BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| Error::failed(format!("cannot read {}: {error}", self.origin())))?;
        if bytes.len() as u64 > BYTES_MAX {
            let origin = self.origin();
            let message =
                format!("{origin} has more than {BYTES_MAX} bytes (hint: send it in parts)");
            return Err(Error::usage(message));
        }
        Ok(bytes)
    }

    /// Where they come from, for messages.
    pub fn origin(&self) -> &str {
        if self.file == "-" { "stdin" } else { &self.file }
    }
}
