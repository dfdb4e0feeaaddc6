//! The ledger port: the journal goes through the writer, abort marks are read.

use std::sync::Arc;

use async_trait::async_trait;
use waystation_core::id::JobId;
use waystation_core::job::PAGE_MAX;
use waystation_core::journal::Entry;
use waystation_core::port::{Error, Ledger, Projected, check_batch};

use crate::Postgres;
use crate::writer::Command;

#[async_trait]
impl Ledger for Postgres {
    async fn project(&self, entries: Arc<[Entry]>) -> Result<Vec<Projected>, Error> {
        check_batch(entries.len())?;
        self.shared.writer.ask(|reply| Command::Project { entries, reply }).await?
    }

    async fn abort_marks(
        &self,
        after: Option<&JobId>,
        limit: usize,
    ) -> Result<Vec<(JobId, String)>, Error> {
        self.shared.reader.abort_marks(after, limit.min(PAGE_MAX)).await
    }
}
