//! Stands before every route: finds out who asks, and lets routes say who may.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::origin;
use super::{Identity, Role, SESSION_COOKIE};
use crate::context::Context;
use crate::problem::{Code, Problem};

/// Finds out who asks, if anybody says so, and refuses what another site's page asks. The answer
/// tells the layers around who it was.
pub async fn guard(State(context): State<Context>, mut request: Request, next: Next) -> Response {
    let is_upgrade = request.headers().contains_key(header::UPGRADE);
    let foreign = origin::refusal(request.method(), request.headers(), is_upgrade);
    if let Some(why) = foreign {
        return Problem::new(Code::CrossOrigin, why).into_response();
    }
    let identity = match identify(&context, request.headers()).await {
        Ok(Some(identity)) => identity,
        Ok(None) => return next.run(request).await,
        Err(problem) if problem.code == Code::CrossOrigin => return problem.into_response(),
        Err(problem) => {
            request.extensions_mut().insert(Undecided(problem));
            return next.run(request).await;
        }
    };
    request.extensions_mut().insert(identity.clone());
    let mut response = next.run(request).await;
    response.extensions_mut().insert(identity);
    response
}

/// Why it could not be found out who asks. Only those are refused for it who must be known.
#[derive(Clone)]
struct Undecided(Problem);

async fn identify(context: &Context, headers: &HeaderMap) -> Result<Option<Identity>, Problem> {
    let access = context.access();
    if !access.is_guarded().await? {
        // Its last token was taken back: nobody else than this machine is let in without one.
        if !context.is_local() {
            return Ok(None);
        }
        return match origin::foreign_host(headers) {
            Some(why) => Err(Problem::new(Code::CrossOrigin, why)),
            None => Ok(Some(Identity::local())),
        };
    }
    if let Some(token) = bearer_token(headers) {
        return Ok(access.bearer(token).await?);
    }
    match cookie(headers) {
        Some(secret) => Ok(access.visitor(secret).await?),
        None => Ok(None),
    }
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The session's secret among the cookies.
pub fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim() == SESSION_COOKIE).map(|(_, value)| value.trim())
}

/// Somebody who may look.
pub struct Viewer(pub Identity);
/// Somebody who may act.
pub struct Operator(pub Identity);
/// Somebody who may decide.
pub struct Admin(pub Identity);
/// A program that watches: anybody where the server listens on this machine alone, and otherwise
/// somebody who may look.
pub struct Watcher;

fn demand(parts: &Parts, role: Role) -> Result<Identity, Problem> {
    if let Some(Undecided(problem)) = parts.extensions.get() {
        return Err(problem.clone());
    }
    let Some(identity) = parts.extensions.get::<Identity>() else {
        let hint = "a token is due: `Authorization: Bearer wst_…`";
        return Err(Problem::new(Code::Unauthenticated, hint));
    };
    if identity.role < role {
        let Identity { name, role: own, .. } = identity;
        let why = format!("{name} is {own}; this takes a token with the role {role}");
        return Err(Problem::new(Code::Forbidden, why));
    }
    Ok(identity.clone())
}

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        demand(parts, Role::Viewer).map(Self)
    }
}

impl FromRequestParts<Context> for Watcher {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Problem> {
        if context.is_local() {
            return Ok(Self);
        }
        demand(parts, Role::Viewer).map(|_| Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        demand(parts, Role::Operator).map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        demand(parts, Role::Admin).map(Self)
    }
}
