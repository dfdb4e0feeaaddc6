//! How far attempts are, as far as that is kept.

use waystation_core::id::JobId;
use waystation_core::progress::Progress;

use super::batch::{Result, Writer};

impl Writer {
    /// Keeps what jobs that go on said last. A job whose row another process has in hand is left
    /// out: it moves on at this moment.
    pub(super) async fn keep_progress(&mut self, said: &[(JobId, Progress)]) -> Result<()> {
        let jobs: Vec<String> = said.iter().map(|(job_id, _)| job_id.to_string()).collect();
        // Numbers and texts can always be written.
        let text = |(_, one): &(JobId, Progress)| serde_json::to_string(one).unwrap_or_default();
        let texts: Vec<String> = said.iter().map(text).collect();
        let sql = "WITH free AS (SELECT job_number, said.progress FROM job \
             JOIN unnest($1::text[], $2::text[]) AS said (job_id, progress) USING (job_id) \
             WHERE job.state < 6 FOR UPDATE OF job SKIP LOCKED) \
             UPDATE job SET progress = free.progress FROM free \
             WHERE job.job_number = free.job_number";
        self.link.send(sql, &[&jobs, &texts]).await
    }
}
