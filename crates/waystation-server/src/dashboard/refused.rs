//! Why a page is not shown, as a page.

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use waystation_core::port;

use super::href;
use super::page;
use super::parts::words::sentence;
use super::visit::Visit;
use crate::access::Role;
use crate::problem::{Code, Problem};

/// Why a page is not shown.
pub enum Refused {
    /// Nobody knows who asks: they are to log in, and come back to this address.
    Unknown(String),
    /// Something is wrong.
    Problem(Box<Problem>),
}

impl Refused {
    /// Nobody knows who asks for this address.
    pub fn unknown(address: &str) -> Self {
        Self::Unknown(address.to_owned())
    }

    /// Who asks may not do that.
    pub fn role(visit: Visit, role: Role) -> Self {
        let (name, own) = (visit.identity.name, visit.identity.role);
        let why = format!("this takes the role {role}, and {name} is {own}");
        Problem::new(Code::Forbidden, why).into()
    }

    /// There is no such thing.
    pub fn not_found(what: &str, name: impl std::fmt::Display) -> Self {
        Problem::not_found(what, name).into()
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<port::Error> for Refused {
    fn from(error: port::Error) -> Self {
        Problem::from(error).into()
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let problem = match self {
            Self::Unknown(address) => {
                let login = format!("/login{}", href::query([("next", &*address)]));
                return Redirect::to(&login).into_response();
            }
            Self::Problem(problem) => problem,
        };
        show(&problem)
    }
}

/// A problem as a page.
pub fn show(problem: &Problem) -> Response {
    let title = title(problem);
    let body = html! {
        section.card.problem {
            a.brand href="/" { (page::mark()) "Waystation" }
            h1 { (title) }
            p.words { (sentence(&problem.detail)) }
            @if !problem.problems.is_empty() {
                ul { @for one in &problem.problems { li { (sentence(one)) } } }
            }
            div.buttons {
                a.button href="/" { "Overview" }
                a.button.quiet href="/jobs" { "Jobs" }
            }
            p.note { "Status " (problem.status) ", " code { (word(problem)) } }
        }
    };
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    ([(header::CACHE_CONTROL, "no-store")], (status, page::bare(title, &body))).into_response()
}

/// What is the matter, for people.
fn title(problem: &Problem) -> &'static str {
    match problem.code {
        Code::Unauthenticated => "Nobody knows who you are",
        Code::Forbidden => "You may not do that",
        Code::CrossOrigin => "Another site asked for this",
        Code::NotFound => "Not found",
        Code::MethodNotAllowed | Code::UnsupportedMediaType | Code::BadRequest | Code::Invalid => {
            "This cannot be read"
        }
        Code::TooLarge | Code::HeadersTooLarge => "This is too large",
        Code::Conflict | Code::LeaseLost | Code::Draining | Code::Paused => {
            "This cannot be done now"
        }
        Code::TooMany | Code::Full => "Too much at a time",
        Code::TimedOut => "It took too long",
        Code::Unavailable => "The store cannot be reached",
        Code::Internal => "Something went wrong here",
    }
}

/// The problem's code, as programs know it.
fn word(problem: &Problem) -> String {
    let word = serde_json::to_value(problem.code).ok();
    word.and_then(|word| Some(word.as_str()?.to_owned())).unwrap_or_default()
}

/// Whether a page is wanted: a browser goes somewhere, and not to the API.
pub fn is_of_browser(request: &Request) -> bool {
    let accepted = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let wants_page = accepted.is_some_and(|accepted| accepted.contains("text/html"));
    wants_page && !request.uri().path().starts_with("/api/")
}
