//! Where somebody says who they are.

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::html;
use serde::Deserialize;

use super::{href, page};
use crate::context::Context;
use crate::extract::Query;

/// The routes. What the form sends is taken by the API.
pub fn routes() -> Router<Context> {
    Router::new().route("/login", get(show))
}

/// Where somebody goes then, and why they came back.
#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    next: String,
    #[serde(default)]
    failed: String,
}

async fn show(Query(Wanted { next, failed }): Query<Wanted>) -> Response {
    let why = match &*failed {
        "" => None,
        "too_many" => Some("Too many logins failed: wait a minute."),
        "unavailable" => Some("The store cannot be reached now: try again."),
        _ => Some("Nobody has this token."),
    };
    let body = html! {
        form.card.login method="post" action="/login" {
            p.brand { (page::mark()) "Waystation" }
            h1 { "Log in" }
            @if let Some(why) = why { p.flash.bad role="alert" { (why) } }
            input type="hidden" name="next" value=(href::own(&next));
            label { span { "Token" } input type="password" name="token" required autofocus
                autocomplete="current-password" spellcheck="false"; }
            button.primary { "Log in" }
            p.note { "An admin makes tokens: " code { "waystation tokens add NAME" } }
        }
    };
    ([(header::CACHE_CONTROL, "no-store")], page::bare("Log in", &body)).into_response()
}
