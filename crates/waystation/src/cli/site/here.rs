//! A store that this process opened, behind the API's own routes.

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use waystation::Client;
use waystation::engine::control::operations;
use waystation::server::access::{Identity, Proof, Role};
use waystation::server::{InProcess, Problem};

use super::{Answered, Refusal};
use crate::cli::exit::Error;

/// A store that this process opened.
pub struct Here {
    api: InProcess,
    client: Client,
}

/// Works at bulk operations for as long as it lives.
pub struct Runner {
    stop: CancellationToken,
    running: AbortOnDropHandle<()>,
}

impl Here {
    /// The API over this client, as this person uses it: whoever can open the store may do
    /// everything in it.
    pub async fn new(client: Client, name: String) -> Result<Self, Error> {
        let identity = Identity { name, role: Role::Admin, proof: Proof::Open };
        let api = InProcess::new(client.clone(), identity).await;
        let api = api.map_err(|error| Error::failed(error.to_string()))?;
        Ok(Self { api, client })
    }

    /// Begins to work at bulk operations: there may be no server that does.
    pub fn work_at_operations(&self) -> Runner {
        let stop = CancellationToken::new();
        let running = tokio::spawn(operations::run(self.client.clone(), stop.clone()));
        Runner { stop, running: AbortOnDropHandle::new(running) }
    }

    pub(super) async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Answered, Refusal> {
        let answer = self.api.ask(method, path, body).await.map_err(Refusal::here)?;
        if (200..300).contains(&answer.status) {
            return Ok(Answered { body: answer.body.to_vec() });
        }
        let problem: Result<Problem, _> = serde_json::from_slice(&answer.body);
        Err(match problem {
            Ok(problem) => Refusal::here(problem),
            Err(_) => Refusal::internal(format!("{method} {path}: status {}", answer.status)),
        })
    }
}

impl Runner {
    /// Ends what it does in good order: what is left goes on elsewhere, or later.
    pub async fn end(self) {
        self.stop.cancel();
        let _ = self.running.await;
    }
}
