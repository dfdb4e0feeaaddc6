//! What went wrong, as `application/problem+json` (RFC 9457).

mod engine;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What went wrong, for programs: these words stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// Nobody is known by the token, or there is none.
    Unauthenticated,
    /// Who asks may not do that.
    Forbidden,
    /// Another site's page asked.
    CrossOrigin,
    /// There is no such thing.
    NotFound,
    /// The path does not know this method.
    MethodNotAllowed,
    /// The request cannot be read: its path, query or body.
    BadRequest,
    /// The request can be read, but means nothing that can be done.
    Invalid,
    /// The body is of another type than JSON.
    UnsupportedMediaType,
    /// The request is larger than what is taken.
    TooLarge,
    /// The headers of the request are larger than what is taken.
    HeadersTooLarge,
    /// It is done already, held by another or otherwise not as it would have to be.
    Conflict,
    /// The lease is no longer the asker's.
    LeaseLost,
    /// The pipeline takes no new jobs for now.
    Draining,
    /// As many jobs wait as may.
    Full,
    /// Somebody paused what was asked.
    Paused,
    /// More is asked for at a time than is served.
    TooMany,
    /// The answer took too long.
    TimedOut,
    /// The store cannot be reached now.
    Unavailable,
    /// A fault of the server or of what is behind it.
    Internal,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 19] = [
        Self::Unauthenticated,
        Self::Forbidden,
        Self::CrossOrigin,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::BadRequest,
        Self::Invalid,
        Self::UnsupportedMediaType,
        Self::TooLarge,
        Self::HeadersTooLarge,
        Self::Conflict,
        Self::LeaseLost,
        Self::Draining,
        Self::Full,
        Self::Paused,
        Self::TooMany,
        Self::TimedOut,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The HTTP status of answers with this code.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::CrossOrigin => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Conflict | Self::LeaseLost | Self::Draining => StatusCode::CONFLICT,
            Self::TooMany | Self::Full => StatusCode::TOO_MANY_REQUESTS,
            Self::Paused | Self::TimedOut | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// After so many seconds a full lane may have room.
const FULL_RETRY: u64 = 1;

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The same in a word.
    pub title: String,
    /// What went wrong, for programs.
    pub code: Code,
    /// What went wrong, for people.
    pub detail: String,
    /// All that is wrong, where it is more than one thing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

impl Problem {
    /// A problem with what there is to say of it.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let status = code.status();
        let title = status.canonical_reason().unwrap_or("Problem").to_owned();
        let problems = Vec::new();
        Self { status: status.as_u16(), title, code, detail: detail.into(), problems }
    }

    /// There is no such thing.
    pub fn not_found(what: &str, name: impl std::fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("there is no {what} {name}"))
    }

    /// The same problem with all that is wrong.
    #[must_use]
    pub fn with_problems(mut self, problems: Vec<String>) -> Self {
        self.problems = problems;
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self)).into_response();
        let problem_json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, problem_json);
        if self.code == Code::Unauthenticated {
            let bearer = HeaderValue::from_static("Bearer realm=\"waystation\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        if self.code == Code::Full {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(FULL_RETRY));
        }
        // For the layers around, which may have another form for it.
        response.extensions_mut().insert(self);
        response
    }
}

/// Every answer that is a problem has this form, whatever its status.
impl utoipa::IntoResponses for Problem {
    fn responses() -> std::collections::BTreeMap<
        String,
        utoipa::openapi::RefOr<utoipa::openapi::response::Response>,
    > {
        let content = utoipa::openapi::ContentBuilder::new()
            .schema(Some(utoipa::openapi::Ref::from_schema_name("Problem")))
            .build();
        let response = utoipa::openapi::ResponseBuilder::new()
            .description("What went wrong")
            .content("application/problem+json", content)
            .build();
        [("default".to_owned(), response.into())].into()
    }
}
