//! Which program parses for this one.

use std::process::Command;
use std::sync::OnceLock;

/// Makes the command that starts a parser.
type Start = Box<dyn Fn() -> Command + Send + Sync>;

static PARSER: OnceLock<Start> = OnceLock::new();

/// Has documents parsed by such a command, whose program calls
/// [`parse_if_asked`](super::parse_if_asked): for tests, which are no program of their own, and for
/// programs that leave it to another one. What is said first holds.
pub fn parse_by(command: impl Fn() -> Command + Send + Sync + 'static) {
    // Said twice is said once.
    let _ = PARSER.set(Box::new(command));
}

/// The command that starts a parser, if anybody said which.
pub fn command() -> Option<Command> {
    PARSER.get().map(|start| start())
}
