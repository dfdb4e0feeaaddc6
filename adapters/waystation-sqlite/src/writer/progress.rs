//! How far attempts are, as far as that is kept.

use rusqlite::params;
use waystation_core::id::JobId;
use waystation_core::progress::Progress;

use super::batch::Writer;

impl Writer {
    /// Keeps what jobs that go on said last.
    pub(super) fn keep_progress(&mut self, said: &[(JobId, Progress)]) -> rusqlite::Result<()> {
        let mut update = self
            .connection
            .prepare_cached("UPDATE job SET progress = ?2 WHERE job_id = ?1 AND state < 6")?;
        for (job_id, progress) in said {
            // Numbers and texts can always be written.
            let text = serde_json::to_string(progress).unwrap_or_default();
            update.execute(params![job_id.as_str(), text])?;
        }
        Ok(())
    }
}
