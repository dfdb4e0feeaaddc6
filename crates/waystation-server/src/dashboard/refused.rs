//! Why a page is not shown, as a page.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use waystation_core::port;

use super::href;
use super::page;
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
        let why = format!("{name} is {own}; this takes the role {role}");
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
        let status = StatusCode::from_u16(problem.status);
        let body = html! {
            section.empty.tall {
                p.code { (problem.status) }
                h1 { (problem.title) }
                p { (problem.detail) }
                p { a.button href="/" { "To the overview" } }
            }
        };
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, page::bare(&problem.title, &body)).into_response()
    }
}
