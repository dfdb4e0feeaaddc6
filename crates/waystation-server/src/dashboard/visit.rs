//! Who looks at a page, and which part of it they want.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::flash::{self, Flash};
use super::refused::Refused;
use crate::access::{Identity, Role};

/// The header that names the sections that are asked for again, with commas between.
const FRAGMENT: &str = "x-waystation-fragment";

/// Who looks at a page, and which part of it they want.
pub struct Visit {
    /// Who.
    pub identity: Identity,
    /// The present moment's word to them, about what they did last.
    pub flash: Option<Flash>,
    /// The sections that are wanted; the whole page, if it is not said.
    pub wanted: Option<Vec<String>>,
}

/// Somebody who acts: at least operator.
pub struct Actor(pub Visit);

/// Somebody who decides who may come in: admin.
pub struct Master(pub Visit);

impl Visit {
    /// Whether they may act on jobs.
    pub fn may_act(&self) -> bool {
        self.identity.role >= Role::Operator
    }

    /// Whether they may decide who comes in.
    pub fn may_decide(&self) -> bool {
        self.identity.role >= Role::Admin
    }

    /// Whether a section is wanted.
    pub fn wants(&self, section: &str) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|name| name == section))
    }
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let address = parts.uri.path_and_query().map_or("/", |address| address.as_str());
        let Some(identity) = parts.extensions.get::<Identity>() else {
            return Err(Refused::unknown(address));
        };
        let wanted = parts.headers.get(FRAGMENT).and_then(|value| value.to_str().ok());
        let wanted = wanted.map(|names| names.split(',').map(|name| name.trim().to_owned()));
        Ok(Self {
            identity: identity.clone(),
            flash: flash::read(&parts.headers),
            wanted: wanted.map(Iterator::collect),
        })
    }
}

async fn at_least<S: Sync>(parts: &mut Parts, state: &S, role: Role) -> Result<Visit, Refused> {
    let visit = <Visit as FromRequestParts<S>>::from_request_parts(parts, state).await?;
    if visit.identity.role < role {
        return Err(Refused::role(visit, role));
    }
    Ok(visit)
}

impl<S: Sync> FromRequestParts<S> for Actor {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        at_least(parts, state, Role::Operator).await.map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Master {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        at_least(parts, state, Role::Admin).await.map(Self)
    }
}
