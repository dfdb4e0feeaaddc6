//! What keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::model::{Mode, Model, Tab};
use super::snapshot::Deed;

/// How many rows a page is.
const PAGE: usize = 10;
/// The longest filter.
const FILTER_MAX: usize = 60;

/// What follows from a key beyond the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The screen shows it.
    Nothing,
    /// To end.
    Quit,
    /// To do something.
    Do(Deed),
}

impl Model {
    /// Takes in a key.
    pub fn press(&mut self, key: KeyEvent) -> Wish {
        if key.kind == KeyEventKind::Release {
            return Wish::Nothing;
        }
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Wish::Quit;
        }
        self.said = None;
        match std::mem::replace(&mut self.mode, Mode::Looking) {
            Mode::Confirming(deed) => match key.code {
                KeyCode::Char('y') => Wish::Do(deed),
                _ => Wish::Nothing,
            },
            Mode::Filtering => {
                self.edit(key.code);
                Wish::Nothing
            }
            Mode::Looking => self.look(key.code),
        }
    }

    fn edit(&mut self, code: KeyCode) {
        self.mode = Mode::Filtering;
        match code {
            KeyCode::Enter => self.mode = Mode::Looking,
            KeyCode::Esc => {
                self.mode = Mode::Looking;
                self.filter.clear();
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(letter) if self.filter.chars().count() < FILTER_MAX => {
                self.filter.push(letter);
            }
            _ => {}
        }
        self.choose(0);
    }

    fn look(&mut self, code: KeyCode) -> Wish {
        match code {
            KeyCode::Char('q') => return Wish::Quit,
            KeyCode::Up | KeyCode::Char('k') => self.choose(self.chosen.saturating_sub(1)),
            KeyCode::Down | KeyCode::Char('j') => self.choose(self.chosen + 1),
            KeyCode::PageUp => self.choose(self.chosen.saturating_sub(PAGE)),
            KeyCode::PageDown => self.choose(self.chosen + PAGE),
            KeyCode::Home => self.choose(0),
            KeyCode::End => self.choose(usize::MAX),
            KeyCode::Tab | KeyCode::Right => self.turn(1),
            KeyCode::BackTab | KeyCode::Left => self.turn(Tab::ALL.len() - 1),
            KeyCode::Char('/') => self.mode = Mode::Filtering,
            KeyCode::Enter => self.enter(),
            KeyCode::Esc | KeyCode::Backspace => self.leave(),
            KeyCode::Char('p') => self.ask_to_pause(),
            _ => {}
        }
        Wish::Nothing
    }

    fn turn(&mut self, by: usize) {
        let at = Tab::ALL.iter().position(|tab| *tab == self.tab).unwrap_or_default();
        self.tab = Tab::ALL[(at + by) % Tab::ALL.len()];
        self.choose(0);
    }

    /// Into the chosen row's pipeline.
    fn enter(&mut self) {
        let pipeline = self.rows().get(self.chosen).and_then(|row| row.pipeline.clone());
        if self.inside.is_none() && pipeline.is_some() {
            self.inside = pipeline;
            self.filter.clear();
            self.choose(0);
        }
    }

    /// Out of the pipeline, or of the filter.
    fn leave(&mut self) {
        if self.filter.is_empty() {
            self.inside = None;
        }
        self.filter.clear();
        self.choose(0);
    }

    fn ask_to_pause(&mut self) {
        let Some(row) = self.rows().into_iter().nth(self.chosen) else { return };
        let Some((target, is_paused)) = row.target else {
            self.said = Some("workers cannot be paused: their stages and queues can".to_owned());
            return;
        };
        if !self.may_act() {
            let (name, role) = (&self.me.name, self.me.role);
            self.said = Some(format!("{name} is {role}: to pause takes an operator"));
            return;
        }
        let deed = if is_paused { Deed::Resume(target) } else { Deed::Pause(target) };
        self.mode = Mode::Confirming(deed);
    }
}
