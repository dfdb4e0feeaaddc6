//! What a site says when it does not do what it is asked.

use waystation::server::{Code, Problem};

use super::ServerUrl;
use crate::cli::exit::Error;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The API says why.
    #[error("{}", words(problem, server.as_ref(), *with_token))]
    Problem {
        /// What it says.
        problem: Problem,
        /// The server that said it, where it was one.
        server: Option<ServerUrl>,
        /// Whether a token was brought.
        with_token: bool,
    },
    /// The server cannot be reached, or did not answer to the end.
    #[error("server {server} cannot be reached: {why} (hint: {hint})")]
    Unreachable {
        /// The server.
        server: ServerUrl,
        /// Why.
        why: String,
        /// What the reader may do.
        hint: &'static str,
    },
    /// Something else answers there.
    #[error(
        "server {server} does not speak Waystation's API: {what} (hint: see that the address is \
         that of a `waystation serve`, and that both are of about the same version)"
    )]
    Foreign {
        /// The server.
        server: ServerUrl,
        /// What came instead.
        what: String,
    },
}

impl Refusal {
    /// What this process says itself.
    pub fn here(problem: Problem) -> Self {
        Self::Problem { problem, server: None, with_token: false }
    }

    /// What only a fault of the program brings about.
    pub fn internal(detail: String) -> Self {
        Self::here(Problem::new(Code::Internal, detail))
    }

    /// A name that cannot stand in a path is that of nothing.
    pub fn no_such_path(parts: &[&str]) -> Self {
        let name = parts.last().copied().unwrap_or_default();
        let detail = format!("there is nothing named `{name}`");
        Self::here(Problem::new(Code::NotFound, detail))
    }

    /// What the API says that it is.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Problem { problem, .. } => Some(problem.code),
            Self::Unreachable { .. } | Self::Foreign { .. } => None,
        }
    }

    /// Whether it may have been done nonetheless: nobody knows what became of it on the way.
    pub fn is_unsure(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Foreign { .. })
    }

    /// Whether it concerns the one thing that was asked for, so that others may still be done.
    pub fn is_of_one(&self) -> bool {
        matches!(
            self.code(),
            Some(Code::NotFound | Code::Conflict | Code::Invalid | Code::TooLarge)
        )
    }
}

/// What the API said, and from afar also how it is called and what to do.
fn words(problem: &Problem, server: Option<&ServerUrl>, with_token: bool) -> String {
    let Problem { status, code, detail, .. } = problem;
    let Some(server) = server else { return detail.clone() };
    let code = serde_json::to_value(code).unwrap_or_default();
    let code = code.as_str().unwrap_or_default();
    let hint = match problem.code {
        Code::Unauthenticated if with_token => {
            " (hint: it does not know this token, or no longer: an admin makes one with \
             `waystation tokens add NAME`)"
        }
        Code::Unauthenticated => " (hint: --token TOKEN, or $WAYSTATION_TOKEN)",
        Code::Forbidden => " (hint: an admin makes a token with another role: `waystation tokens`)",
        Code::Unavailable | Code::TimedOut | Code::TooMany => " (hint: try again in a while)",
        _ => "",
    };
    format!("{detail}{hint} [{server}: {status} {code}]")
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        let Refusal::Problem { problem, .. } = refusal else { return Self::failed(message) };
        let error = match problem.code {
            Code::Conflict
            | Code::LeaseLost
            | Code::Paused
            | Code::Full
            | Code::TooMany
            | Code::TimedOut
            | Code::Unavailable
            | Code::Internal => Self::failed(message),
            Code::Unauthenticated
            | Code::Forbidden
            | Code::CrossOrigin
            | Code::NotFound
            | Code::MethodNotAllowed
            | Code::BadRequest
            | Code::Invalid
            | Code::UnsupportedMediaType
            | Code::TooLarge
            | Code::HeadersTooLarge
            | Code::Draining => Self::usage(message),
        };
        error.after_lines(&problem.problems)
    }
}
