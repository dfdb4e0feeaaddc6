//! `waystation top`: how everything gets on, live.
//!
//! [`snapshot`] fetches what there is every second and does what is decided; [`model`] is what the
//! screen shows, which [`keys`] change and [`draw`] draws; [`screen`] is the terminal.

mod draw;
mod keys;
mod model;
mod rows;
mod screen;
mod snapshot;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::sync::Arc;

use ratatui::crossterm::event::Event;
use ratatui::crossterm::terminal;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use waystation::Signals;

use super::exit::{Error, Outcome};
use super::out;
use super::session::Global;
use super::site::Site;
use keys::Wish;
use model::Model;
use screen::Screen;
use snapshot::{Deed, News, Snapshot};

/// What `top` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// Print everything once, and end
    #[arg(long)]
    once: bool,
    /// How wide to print it, with --once [default: the terminal's width, or 120]
    #[arg(long, value_name = "N", requires = "once")]
    #[arg(value_parser = clap::value_parser!(u16).range(20..=1_000))]
    width: Option<u16>,
}

/// How wide is printed where nobody says so.
const WIDTH: u16 = 120;
/// How much may wait for the screen.
const NEWS_MAX: usize = 4;

/// Shows how everything gets on.
pub async fn run(arguments: &Arguments, global: &Global) -> Result<Outcome, Error> {
    let site = global.site().await?;
    if arguments.once || global.json {
        return once(arguments, &site, global).await;
    }
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        let message = "top needs a terminal (hint: --once prints everything once)";
        return Err(Error::usage(message));
    }
    let me = snapshot::me(&site).await?;
    show(Arc::new(site), Model::new(global.site_words()?, me)).await
}

async fn once(arguments: &Arguments, site: &Site, global: &Global) -> Result<Outcome, Error> {
    let snapshot = Snapshot::fetch(site).await?;
    if global.json {
        out::json(&snapshot);
        return Ok(Outcome::Done);
    }
    let mut model = Model::new(global.site_words()?, snapshot::me(site).await?);
    model.take(News::Snapshot(Box::new(snapshot)));
    let own = || terminal::size().ok().map(|(width, _)| width).filter(|width| *width >= 20);
    let width = arguments.width.or_else(own).unwrap_or(WIDTH);
    for line in draw::text(&draw::whole(&model, width)) {
        out::line(line);
    }
    Ok(Outcome::Done)
}

/// What the screen hears.
enum Heard {
    News(News),
    Terminal(Event),
    /// The terminal is gone, or the process is told to end.
    End,
}

async fn show(site: Arc<Site>, mut model: Model) -> Result<Outcome, Error> {
    let unheard = |error| Error::failed(format!("cannot listen to signals: {error}"));
    let mut signals = Signals::listen().map_err(unheard)?;
    let (deeds, to_do) = mpsc::channel::<Deed>(1);
    let (send, mut news) = mpsc::channel(NEWS_MAX);
    let _feed = AbortOnDropHandle::new(tokio::spawn(snapshot::feed(site, to_do, send)));
    let broken = |error| Error::failed(format!("cannot use the terminal: {error}"));
    let mut screen = Screen::take().map_err(broken)?;
    let mut events = screen::events();
    loop {
        screen.draw(&model).map_err(broken)?;
        let heard = tokio::select! {
            told = news.recv() => told.map_or(Heard::End, Heard::News),
            event = events.recv() => event.map_or(Heard::End, Heard::Terminal),
            () = signals.next() => Heard::End,
        };
        let wish = match heard {
            Heard::News(told) => {
                model.take(told);
                Wish::Nothing
            }
            Heard::Terminal(Event::Key(key)) => model.press(key),
            // A new size, or what nobody asked for: it is drawn again.
            Heard::Terminal(_) => Wish::Nothing,
            Heard::End => Wish::Quit,
        };
        match wish {
            Wish::Nothing => {}
            Wish::Quit => return Ok(Outcome::Done),
            Wish::Do(deed) => {
                if deeds.try_send(deed).is_err() {
                    model.said = Some("the last one is still being done: try again".to_owned());
                }
            }
        }
    }
}
