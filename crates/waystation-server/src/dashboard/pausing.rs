//! Pausing, draining and resuming, from whichever page.

use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use axum::{Form, Router};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use waystation_core::clock::Timestamp;
use waystation_engine::control::{Mode, Pause, Target};

use super::parts::moment;
use super::parts::words::sentence;
use super::refused::Refused;
use super::visit::Actor;
use super::{flash, href};
use crate::audit::Detail;
use crate::context::Context;
use crate::problem::{Code, Problem};

/// The routes.
pub fn routes() -> Router<Context> {
    Router::new().route("/pauses", post(act))
}

/// What somebody wants.
#[derive(Deserialize)]
struct Wanted {
    target: String,
    act: String,
    #[serde(default)]
    reason: String,
    back: String,
}

async fn act(
    State(context): State<Context>,
    Actor(visit): Actor,
    Form(wanted): Form<Wanted>,
) -> Result<(Detail, Response), Refused> {
    let Wanted { target, act, reason, back } = wanted;
    let detail = Detail(json!({ "target": target, "act": act, "reason": reason }));
    let back = href::own(&back);
    let target = match Target::parse(&target) {
        Ok(target) => target,
        Err(error) => return Ok((detail, flash::failed(back, error.to_string()))),
    };
    let client = context.client();
    let mode = match &*act {
        "pause" => Mode::Pause,
        "drain" => Mode::Drain,
        "resume" => {
            let was_there = client.resume(&target).await?;
            let words = if was_there { "goes on" } else { "was not paused" };
            let words = format!("{} {words}", target.words());
            return Ok((detail, flash::done(back, words)));
        }
        _ => return Err(Problem::new(Code::Invalid, format!("nothing is done by {act}")).into()),
    };
    let done = if mode == Mode::Pause { "is paused" } else { "takes no new jobs" };
    let words = format!("{} {done}", target.words());
    Ok((
        detail,
        match client.pause(target, mode, &visit.identity.name, reason.trim()).await {
            Ok(_) => flash::done(back, words),
            Err(error) => flash::failed(back, error.to_string()),
        },
    ))
}

/// What is paused, each with a button to go on.
pub fn notices(pauses: &[&Pause], now: Timestamp, back: &str, may_act: bool) -> Markup {
    html! {
        @for pause in pauses {
            div.paused {
                p {
                    b { (sentence(&pause.target.words())) }
                    @match pause.mode {
                        Mode::Pause => " is paused",
                        Mode::Drain => " takes no new jobs",
                    }
                    @if !pause.reason.is_empty() { ": " (pause.reason) }
                    small { " – " (pause.by) ", " (moment::ago(pause.at, now)) }
                }
                @if may_act { (button(&pause.target, "resume", "Resume", back)) }
            }
        }
    }
}

/// A button that does it at once.
pub fn button(target: &Target, act: &str, word: &str, back: &str) -> Markup {
    html! {
        form.inline method="post" action="/pauses" {
            input type="hidden" name="target" value=(target);
            input type="hidden" name="back" value=(back);
            button.small name="act" value=(act) { (word) }
        }
    }
}

/// A form that asks why.
pub fn form(target: &Target, acts: &[(&str, &str)], back: &str) -> Markup {
    html! {
        form.row method="post" action="/pauses" {
            input type="hidden" name="target" value=(target);
            input type="hidden" name="back" value=(back);
            input name="reason" placeholder="Reason" aria-label="Why" maxlength="500";
            @for (act, word) in acts { button.small name="act" value=(act) { (word) } }
        }
    }
}
