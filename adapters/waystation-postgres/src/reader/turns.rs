//! Who goes before a job that is behind others of its key.

use waystation_core::id::JobId;
use waystation_core::job::Behind;
use waystation_core::key::Key;
use waystation_core::port::Error;

use super::Reader;

const BEHIND: &str = "SELECT own.key, first.job_id, 1 + (SELECT count(*) FROM message AS other \
     WHERE other.queue = own.queue AND other.key = own.key AND other.state = 5 \
     AND (other.rank, coalesce(other.turn, other.message_id)) \
     < (own.rank, coalesce(own.turn, own.message_id))) \
     + (SELECT count(*) FROM message AS other \
     WHERE other.queue = own.queue AND other.key = own.key AND other.state = 6) \
     FROM job JOIN message AS own ON own.job = job.job_number AND own.state = 5 \
     JOIN message AS head ON head.queue = own.queue AND head.key = own.key \
     AND head.key IS NOT NULL AND (head.state < 2 OR head.turn = 0 AND head.state IN (2, 4)) \
     JOIN job AS first ON first.job_number = head.job WHERE job.job_id = $1";

impl Reader {
    /// What a job waits for that is behind others of its key.
    pub async fn behind(&self, job_id: &JobId) -> Result<Option<Behind>, Error> {
        let rows = self.rows(BEHIND, &[&job_id.as_str()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let (first, ahead) = (JobId::from(row.get::<_, &str>(1)), row.get::<_, i64>(2) as u64);
        Ok(Key::new(row.get(0)).ok().map(|key| Behind { key, first, ahead }))
    }
}
