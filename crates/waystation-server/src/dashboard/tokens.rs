//! Who may come in.

use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Form, Router};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use waystation_core::clock::Timestamp;

use super::page::{Page, Place};
use super::parts::moment;
use super::refused::Refused;
use super::visit::{Master, Visit};
use super::{flash, href};
use crate::access::{NewToken, Role, Token};
use crate::audit::Detail;
use crate::context::Context;
use crate::extract::Path;
use crate::problem::{Code, Problem};

/// The routes.
pub fn routes() -> Router<Context> {
    Router::new().route("/tokens", get(show).post(add)).route("/tokens/{name}/remove", post(remove))
}

async fn show(State(context): State<Context>, Master(visit): Master) -> Result<Response, Refused> {
    respond(&context, &visit, None).await
}

async fn respond(
    context: &Context,
    visit: &Visit,
    made: Option<&NewToken>,
) -> Result<Response, Refused> {
    let tokens = context.access().tokens().await?;
    let page = Page::new(visit, Place::Tokens, "Tokens").with(html! {
        @if let Some(NewToken { token, secret }) = made {
            section.card.secret {
                h2 { "Token of " (token.name) }
                p { "Copy it now: it cannot be shown again." }
                p { code.value { (secret) } }
            }
        }
        section.card { (table(&tokens, context.now())) }
        section.card { h2 { "New token" } (form(tokens.is_empty())) }
    });
    Ok(page.respond())
}

fn table(tokens: &[Token], now: Timestamp) -> Markup {
    let moment = |text: &str| Timestamp::parse(text).map(|at| moment::ago(at, now));
    html! {
        @if tokens.is_empty() {
            div.empty { p { "There are no tokens." }
                p { "Whoever reaches this server is admin, and it answers to this machine alone." }
            }
        } @else {
            div.scroll { table {
                thead { tr { th { "Name" } th { "Role" } th.number { "Made" }
                    th.number { "Good until" } th { span.hidden { "Take back" } } } }
                tbody { @for token in tokens { tr {
                    td data-label="Name" { b { (token.name) } }
                    td data-label="Role" { (token.role) }
                    td.number data-label="Made" {
                        @if let Some(at) = moment(&token.created_at) { (at) }
                    }
                    td.number data-label="Good until" {
                        @match token.expires_at.as_deref().and_then(moment) {
                            Some(at) => (at),
                            None => span.faint { "no end" },
                        }
                    }
                    td.act { form.inline method="post"
                        action={ "/tokens/" (href::encode(&token.name)) "/remove" } {
                        button.small.danger { "Take back" }
                    } }
                } } }
            } }
        }
    }
}

fn form(is_first: bool) -> Markup {
    html! {
        form.filters method="post" action="/tokens" {
            label { span { "Name" } input name="name" required maxlength="100"; }
            label { span { "Role" } select name="role" {
                @for role in Role::ALL {
                    option selected[is_first && role == Role::Admin] { (role) }
                }
            } }
            label { span { "Good until (UTC; empty: no end)" }
                input type="datetime-local" name="expires_at"; }
            div.buttons { button.primary { "Make the token" } }
        }
        p.note {
            "A viewer looks. An operator submits, answers, retries, aborts and pauses. "
            "An admin puts pipelines, makes tokens and reads the audit log."
        }
        @if is_first {
            p.note { "With the first token, everybody must bring one: make yours an admin's." }
        }
    }
}

/// A token that somebody wants.
#[derive(Deserialize)]
struct Wanted {
    name: String,
    role: Role,
    #[serde(default)]
    expires_at: String,
}

async fn add(
    State(context): State<Context>,
    Master(visit): Master,
    Form(Wanted { name, role, expires_at }): Form<Wanted>,
) -> Result<(Detail, Response), Refused> {
    let detail = Detail(json!({ "name": name, "role": role }));
    let expires_at = Some(expires_at.trim()).filter(|text| !text.is_empty());
    let unread = |text: &str| Problem::new(Code::Invalid, format!("{text} is no moment"));
    let expires_at =
        expires_at.map(|text| Timestamp::parse(text).ok_or_else(|| unread(text))).transpose()?;
    match context.access().add_token(name.trim(), role, expires_at).await {
        Ok(made) => Ok((detail, respond(&context, &visit, Some(&made)).await?)),
        Err(error) => Ok((detail, flash::failed("/tokens", error.to_string()))),
    }
}

async fn remove(
    State(context): State<Context>,
    Path(name): Path<String>,
    Master(_): Master,
) -> Result<Response, Refused> {
    let words = format!("the token of {name} is taken back");
    let was_there = context.access().remove_token(&name).await?;
    let missing = || flash::failed("/tokens", format!("there is no token of {name}"));
    Ok(if was_there { flash::done("/tokens", words) } else { missing() })
}
