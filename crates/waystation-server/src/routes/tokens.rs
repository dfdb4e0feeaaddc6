//! Tokens: who may come in.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_core::clock::Timestamp;

use crate::access::{Admin, NewToken, Role, Token, TokenError};
use crate::context::Context;
use crate::extract::{Json, Path};
use crate::problem::{Code, Problem};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(remove))
}

/// A token that is wanted.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "build-server", "role": "operator" }))]
pub struct WantedToken {
    /// Whose it is to be.
    pub name: String,
    /// What it is to be good for.
    pub role: Role,
    /// Until when, if not for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
}

/// List the tokens
///
/// Their secrets are not known any more: hashes of them are kept.
#[utoipa::path(
    get, path = "/tokens", tag = "access", operation_id = "list_tokens",
    extensions(("x-role" = json!("admin"))),
    responses((status = 200, body = Vec<Token>), Problem)
)]
async fn list(State(context): State<Context>, _: Admin) -> Result<axum::Json<Vec<Token>>, Problem> {
    Ok(axum::Json(context.access().tokens().await?))
}

/// Make a token
///
/// The answer shows its secret, this one time.
#[utoipa::path(
    post, path = "/tokens", tag = "access", operation_id = "add_token",
    extensions(("x-role" = json!("admin"))), request_body = WantedToken,
    responses(
        (status = 201, body = NewToken),
        (status = 409, description = "The name is taken", body = Problem,
            content_type = "application/problem+json"),
        Problem
    )
)]
async fn add(
    State(context): State<Context>,
    _: Admin,
    Json(wanted): Json<WantedToken>,
) -> Result<(StatusCode, axum::Json<NewToken>), Problem> {
    let unread = |text| Problem::new(Code::Invalid, format!("expires_at is no moment: {text}"));
    let expires_at = wanted.expires_at.map(|text| Timestamp::parse(&text).ok_or(unread(text)));
    let expires_at = expires_at.transpose()?;
    let made = context.access().add_token(&wanted.name, wanted.role, expires_at).await?;
    Ok((StatusCode::CREATED, axum::Json(made)))
}

/// Take a token back
///
/// Sessions that began with it end. Other servers know it some seconds later.
#[utoipa::path(
    delete, path = "/tokens/{name}", tag = "access", operation_id = "remove_token",
    extensions(("x-role" = json!("admin"))), params(("name" = String, Path)),
    responses((status = 204), Problem)
)]
async fn remove(
    State(context): State<Context>,
    _: Admin,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    if context.access().remove_token(&name).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::not_found("token", name))
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        let code = match error {
            TokenError::Taken(_) => Code::Conflict,
            TokenError::Name => Code::Invalid,
            TokenError::Random(_) => Code::Internal,
            TokenError::Store(error) => return error.into(),
        };
        Self::new(code, error.to_string())
    }
}
