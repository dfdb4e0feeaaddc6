//! A server over memory with one pipeline, whose jobs wait for a person.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use waystation_core::Params;
use waystation_core::clock::SystemClock;
use waystation_core::id::JobId;
use waystation_core::pipeline::{Catalog, Executor, Stage, StageKind};
use waystation_core::settlement::Submitted;
use waystation_engine::{Backend, Client, Graph, Registry, Submission};
use waystation_memory::Memory;

use crate::context::Context;
use crate::options::{Limits, Options};
use crate::server::Server;

const PIPELINE: &str = "
pipeline:
  name: p
  stages:
    - { id: check, type: manual, form: { ok: boolean, note: string? } }
";

struct OnlyManual;

impl Catalog for OnlyManual {
    fn kind(&self, stage_type: &str) -> Option<StageKind> {
        (stage_type == "manual").then_some(StageKind::Manual)
    }

    fn names(&self) -> Vec<String> {
        vec!["manual".to_owned()]
    }

    fn build(&self, _: &Stage) -> Result<Executor, Vec<String>> {
        Ok(Executor::Manual)
    }
}

/// A server that answers.
pub struct World {
    pub context: Context,
    pub graph: Arc<Graph>,
    pub address: SocketAddr,
    pub stop: CancellationToken,
}

impl World {
    pub async fn new(limits: Limits) -> Self {
        let clock = Arc::new(SystemClock);
        let backend = Backend::whole(Memory::new(clock.clone()), clock);
        let registry =
            Registry::new(Arc::clone(&backend.store), Arc::new(OnlyManual), Arc::new(|_| None));
        registry.install("test", PIPELINE).await.expect("a good pipeline");
        let graph = registry.graph_of(&"p".into(), None).await.expect("a graph");
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = Options { address, limits, ..Options::default() };
        let server = Server::bind(Client::new(backend, registry), options).await.expect("bound");
        let (context, address) = (server.context().clone(), server.address().expect("an address"));
        let stop = CancellationToken::new();
        tokio::spawn(server.run(stop.clone()));
        Self { context, graph, address, stop }
    }

    pub async fn submit(&self) -> JobId {
        let submission = Submission { params: Params::new(), ..Submission::default() };
        let answers = self.context.client().submit(&self.graph, vec![submission]).await;
        match answers.expect("submitted").remove(0) {
            Submitted::Created(job_id) => job_id,
            other => panic!("{other:?}"),
        }
    }
}
