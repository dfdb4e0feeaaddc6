//! The ledger port: the journal goes through the writer, abort marks are read.

use std::sync::Arc;

use async_trait::async_trait;
use waystation_core::id::JobId;
use waystation_core::job::PAGE_MAX;
use waystation_core::journal::Entry;
use waystation_core::port::{Error, Ledger, Projected, check_batch};

use crate::Sqlite;
use crate::reader;
use crate::writer::Command;

#[async_trait]
impl Ledger for Sqlite {
    async fn project(&self, entries: Arc<[Entry]>) -> Result<Vec<Projected>, Error> {
        check_batch(entries.len())?;
        self.shared.writer.ask(|reply| Command::Project { entries, reply }).await?
    }

    async fn abort_marks(
        &self,
        after: Option<&JobId>,
        limit: usize,
    ) -> Result<Vec<(JobId, String)>, Error> {
        let (after, limit) = (after.cloned(), limit.min(PAGE_MAX));
        self.read(move |connection| reader::abort_marks(connection, after.as_ref(), limit)).await
    }
}
