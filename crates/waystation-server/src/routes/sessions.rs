//! Sessions: logging in and out, and who one is.

use axum::Form;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::{LoginError, Proof, Role, SESSION_COOKIE, SESSION_LASTS, Viewer, cookie};
use crate::audit::{Detail, Failed};
use crate::context::Context;
use crate::extract::Json;
use crate::problem::{Code, Problem};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new().routes(routes!(log_in)).routes(routes!(log_out))
}

/// The routes of this resource below the API's version.
pub fn routes_of_api() -> OpenApiRouter<Context> {
    OpenApiRouter::new().routes(routes!(me))
}

/// Who wants to come in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "token": "wst_…" }))]
pub struct Login {
    /// A token of theirs.
    #[schema(max_length = 1000)]
    token: String,
    /// Where a browser goes then: a path of this server.
    #[serde(default)]
    next: Option<String>,
}

/// A login, and whether a page's form sent it.
struct Sent {
    login: Login,
    is_form: bool,
}

impl FromRequest<Context> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, context: &Context) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let is_form = kind
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
        let login = if is_form {
            let form = Form::from_request(request, context).await;
            form.map(|Form(login)| login).map_err(|rejection| {
                let is_large = rejection.status() == StatusCode::PAYLOAD_TOO_LARGE;
                let code = if is_large { Code::TooLarge } else { Code::BadRequest };
                Problem::new(code, rejection.body_text())
            })?
        } else {
            Json::from_request(request, context).await?.0
        };
        Ok(Self { login, is_form })
    }
}

/// Log in
///
/// With a token, for a session of twelve hours. A browser's form is answered with a redirection.
#[utoipa::path(
    post, path = "/login", tag = "access", operation_id = "log_in",
    extensions(("x-role" = json!("none"))),
    request_body(content((Login = "application/json"),
        (Login = "application/x-www-form-urlencoded"))),
    responses(
        (status = 204, description = "The session's cookie is set"),
        (status = 303, description = "The same, to a form: to `next`, or back to the form"),
        (status = 429, description = "Too many logins failed within a minute", body = Problem,
            content_type = "application/problem+json"),
        Problem
    )
)]
async fn log_in(
    State(context): State<Context>,
    headers: HeaderMap,
    Sent { login, is_form }: Sent,
) -> Result<Response, Problem> {
    let (identity, secret) = match context.access().log_in(&login.token).await {
        Ok(found) => found,
        Err(error) if is_form => return Ok(sent_back(&error)),
        Err(error) => return Err(error.into()),
    };
    let detail = Detail(json!({ "name": identity.name }));
    let mut response = if is_form {
        Redirect::to(own_path(login.next.as_deref())).into_response()
    } else {
        StatusCode::NO_CONTENT.into_response()
    };
    let cookie = set_cookie(&secret, SESSION_LASTS.as_secs(), is_secure(&context, &headers));
    response.headers_mut().insert(header::SET_COOKIE, cookie?);
    response.extensions_mut().insert(identity);
    Ok((detail, response).into_response())
}

/// Back to the page with the form, which says what went wrong.
fn sent_back(error: &LoginError) -> Response {
    let why = match error {
        LoginError::Wrong => "wrong",
        LoginError::TooMany => "too_many",
        LoginError::Session(_) => "unavailable",
    };
    (Failed(why), Redirect::to(&format!("/login?failed={why}"))).into_response()
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        use crate::access::SessionError;
        let code = match &error {
            LoginError::Wrong => Code::Unauthenticated,
            LoginError::TooMany => Code::TooMany,
            LoginError::Session(SessionError::Store(error)) => return error.clone().into(),
            LoginError::Session(SessionError::Random(_)) => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

/// Only paths of this server: a link to its login must not lead elsewhere.
fn own_path(next: Option<&str>) -> &str {
    let is_own = |path: &&str| {
        let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        plain && path.starts_with('/') && !path.starts_with("//")
    };
    next.filter(is_own).unwrap_or("/")
}

fn is_secure(context: &Context, headers: &HeaderMap) -> bool {
    let proxied = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    context.options().secure_cookies || proxied.is_some_and(|scheme| scheme == "https")
}

fn set_cookie(secret: &str, seconds: u64, is_secure: bool) -> Result<HeaderValue, Problem> {
    let secure = if is_secure { "; Secure" } else { "" };
    let cookie = format!(
        "{SESSION_COOKIE}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    );
    HeaderValue::from_str(&cookie).map_err(|error| Problem::new(Code::Internal, error.to_string()))
}

/// Log out
///
/// The session ends. There need not be one.
#[utoipa::path(
    post, path = "/logout", tag = "access", operation_id = "log_out",
    extensions(("x-role" = json!("none"))),
    responses(
        (status = 204, description = "There is no session any more"),
        (status = 303, description = "The same, to a form: to the login"),
        Problem
    )
)]
async fn log_out(State(context): State<Context>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(secret) = cookie(&headers) {
        context.access().end_session(secret).await?;
    }
    let kind = headers.get(header::CONTENT_TYPE);
    let is_form =
        kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let mut response = if is_form {
        Redirect::to("/login").into_response()
    } else {
        StatusCode::NO_CONTENT.into_response()
    };
    let cookie = set_cookie("", 0, is_secure(&context, &headers))?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Who asks.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// Their name.
    name: String,
    /// What they may do.
    role: Role,
    /// How that is known: `open` where nobody has to say who they are, `token` or `session`.
    proof: String,
}

/// Say who I am
#[utoipa::path(
    get, path = "/me", tag = "access", operation_id = "get_me",
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, body = Me), Problem)
)]
async fn me(Viewer(identity): Viewer) -> axum::Json<Me> {
    let proof = match identity.proof {
        Proof::Open => "open",
        Proof::Token => "token",
        Proof::Session => "session",
        Proof::Signature => "signature",
    };
    axum::Json(Me { name: identity.name, role: identity.role, proof: proof.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn logins_lead_to_paths_of_this_server_only() {
        for (next, expected) in [
            (Some("/jobs?state=failed"), "/jobs?state=failed"),
            (Some("//evil.example"), "/"),
            (Some("/\\evil.example"), "/"),
            (Some("https://evil.example"), "/"),
            (Some("/a\r\nb"), "/"),
            (None, "/"),
        ] {
            assert_eq!(own_path(next), expected);
        }
    }
}
