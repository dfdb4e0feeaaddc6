//! The terminal: taken for the time being, and given back at every end.

use std::io;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use tokio::sync::mpsc;

use super::draw;
use super::model::Model;
use crate::cli::logs;

/// How many keys may wait.
const KEYS_MAX: usize = 64;

/// The terminal, with a screen of its own. When it is dropped, also by a panic, it is as it was.
pub struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    /// Takes the terminal.
    pub fn take() -> io::Result<Self> {
        logs::hide();
        // It also sees to it that a panic is told on the screen as it was.
        ratatui::try_init().map(|terminal| Self { terminal }).inspect_err(|_| logs::show())
    }

    /// Draws all of it.
    pub fn draw(&mut self, model: &Model) -> io::Result<()> {
        self.terminal.draw(|frame| draw::screen(model, frame.area(), frame.buffer_mut())).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
        logs::show();
    }
}

/// What happens at the terminal, until it is gone. The thread that listens ends with the process.
pub fn events() -> mpsc::Receiver<Event> {
    let (send, receive) = mpsc::channel(KEYS_MAX);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if send.blocking_send(event).is_err() {
                return;
            }
        }
    });
    receive
}
