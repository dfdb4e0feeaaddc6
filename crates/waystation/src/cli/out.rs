//! Data to stdout, talk to stderr, colours only on terminals.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::LazyLock;

use clap::builder::styling::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;
use waystation::core::state::JobState;

/// The bars of this process. Whatever else is written goes above them.
pub static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

static STDOUT_IS_TERMINAL: LazyLock<bool> =
    LazyLock::new(|| std::io::stdout().is_terminal() && wants_colour());
static STDERR_IS_TERMINAL: LazyLock<bool> =
    LazyLock::new(|| std::io::stderr().is_terminal() && wants_colour());

fn wants_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Whether stderr takes colours.
pub fn stderr_is_colourful() -> bool {
    *STDERR_IS_TERMINAL
}

/// Writes a line of data to stdout.
pub fn line(text: impl Display) {
    let written = BARS.suspend(|| {
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{text}").and_then(|()| stdout.flush())
    });
    match written {
        Ok(()) => {}
        // Nobody reads any more, as with `| head`. The work goes on: it is not the reader's to end.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Err(error) => {
            say(format_args!("{}: cannot write to stdout: {error}", error_word()));
            std::process::exit(1);
        }
    }
}

/// Writes a value to stdout as one line of JSON.
pub fn json(value: &impl Serialize) {
    match serde_json::to_string(value) {
        Ok(text) => line(text),
        Err(error) => say(format_args!("{}: no JSON: {error}", error_word())),
    }
}

/// Writes a line of talk to stderr.
pub fn say(text: impl Display) {
    BARS.suspend(|| {
        // When stderr is gone as well there is nobody left to tell.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    });
}

/// Writes a line of advice to stderr.
pub fn hint(text: impl Display) {
    say(format_args!("{}: {text}", paint_talk("hint", AnsiColor::Cyan.on_default())));
}

/// A bar for work of this length; hidden where nobody sees it.
pub fn bar(length: u64, name: &'static str, quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg:<16} {bar:30} {pos}/{len}");
    let bar = ProgressBar::new(length).with_message(name);
    BARS.add(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
}

/// The word before an error.
pub fn error_word() -> String {
    paint_talk("error", AnsiColor::Red.on_default().bold())
}

fn paint_talk(text: &str, style: Style) -> String {
    if *STDERR_IS_TERMINAL { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// A text for stdout in this style.
pub fn paint(text: &str, style: Style) -> String {
    if *STDOUT_IS_TERMINAL { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// What stands beside the data.
pub fn faint() -> Style {
    Style::new().dimmed()
}

/// Titles and column heads.
pub fn strong() -> Style {
    Style::new().bold()
}

/// A state's colour.
pub fn style_of(state: JobState) -> Style {
    match state {
        JobState::Completed => AnsiColor::Green.on_default(),
        JobState::Failed => AnsiColor::Red.on_default(),
        JobState::Running => AnsiColor::Cyan.on_default(),
        JobState::Waiting | JobState::Retrying | JobState::Delayed => {
            AnsiColor::Yellow.on_default()
        }
        JobState::Aborted => AnsiColor::Magenta.on_default(),
        JobState::Ready | JobState::Queued | JobState::Skipped => Style::new(),
    }
}

/// A text from elsewhere, without what could steer a terminal.
pub fn clean(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// A text on one line of at most this many letters.
pub fn short(text: &str, letters_max: usize) -> String {
    let text = clean(text);
    if text.chars().count() <= letters_max {
        return text;
    }
    let mut cut: String = text.chars().take(letters_max.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// `1 job`, `2 jobs`.
pub fn counted(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}
