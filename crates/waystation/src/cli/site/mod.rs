//! Where commands look and act: a store that this process opens, or a server.
//!
//! Both speak the API's wire forms, so that a command is written once. Behind [`Here`] it is the
//! API's own router in this process, behind [`There`] a server that is asked over HTTP.

mod address;
mod here;
mod opening;
mod refusal;
mod there;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use address::{Query, ServerUrl};
pub use here::Here;
pub use refusal::Refusal;
pub use there::There;

use address::path;

/// Where commands look and act.
pub enum Site {
    /// In a store that this process opened.
    Here(Here),
    /// At a server.
    There(There),
}

/// What a site answered: a status of success, and JSON unless there is nothing to say.
struct Answered {
    body: Vec<u8>,
}

impl Site {
    /// Looks at something. The path is given by its parts, below `/api/v1`.
    pub async fn get<T: DeserializeOwned>(
        &self,
        parts: &[&str],
        query: &Query,
    ) -> Result<T, Refusal> {
        let answered = self.ask("GET", parts, query, None).await?;
        self.read(&answered)
    }

    /// Does something.
    pub async fn post<T: DeserializeOwned>(
        &self,
        parts: &[&str],
        body: &impl Serialize,
    ) -> Result<T, Refusal> {
        let answered = self.ask("POST", parts, &Query::default(), Some(json(body)?)).await?;
        self.read(&answered)
    }

    /// Puts something in its place.
    pub async fn put<T: DeserializeOwned>(
        &self,
        parts: &[&str],
        body: &impl Serialize,
    ) -> Result<T, Refusal> {
        let answered = self.ask("PUT", parts, &Query::default(), Some(json(body)?)).await?;
        self.read(&answered)
    }

    /// Takes something away.
    pub async fn delete(&self, parts: &[&str]) -> Result<(), Refusal> {
        self.ask("DELETE", parts, &Query::default(), None).await.map(drop)
    }

    async fn ask(
        &self,
        method: &'static str,
        parts: &[&str],
        query: &Query,
        body: Option<Vec<u8>>,
    ) -> Result<Answered, Refusal> {
        let path = path(parts, query).ok_or_else(|| Refusal::no_such_path(parts))?;
        match self {
            Self::Here(here) => here.ask(method, &path, body).await,
            Self::There(there) => there.ask(method, &path, body).await,
        }
    }

    fn read<T: DeserializeOwned>(&self, answered: &Answered) -> Result<T, Refusal> {
        serde_json::from_slice(&answered.body).map_err(|error| match self {
            Self::Here(_) => Refusal::internal(format!("the answer cannot be read: {error}")),
            Self::There(there) => there.foreign(&format!("an answer that cannot be read: {error}")),
        })
    }
}

fn json(body: &impl Serialize) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(body).map_err(|error| Refusal::internal(format!("no JSON: {error}")))
}
