//! Pipelines by version, and where sources stand.

use serde_json::Value;
use tokio_postgres::Row;
use waystation_core::id::PipelineName;
use waystation_core::job::{PAGE_MAX, PipelineRecord};
use waystation_core::port::Error;

use super::Reader;

impl Reader {
    /// A pipeline in this version, or in its newest.
    pub async fn pipeline(
        &self,
        name: &PipelineName,
        version: Option<u32>,
    ) -> Result<Option<PipelineRecord>, Error> {
        let sql = "SELECT version, source FROM pipeline \
             WHERE name = $1 AND ($2::integer IS NULL OR version = $2) \
             ORDER BY version DESC LIMIT 1";
        let version = version.map(|version| version as i32);
        let rows = self.rows(sql, &[&name.as_str(), &version]).await?;
        Ok(rows.first().map(|row| PipelineRecord {
            name: name.clone(),
            version: row.get::<_, i32>(0) as u32,
            source: row.get(1),
        }))
    }

    /// All pipelines, each with its newest version.
    pub async fn pipelines(&self) -> Result<Vec<(PipelineName, u32)>, Error> {
        let sql = "SELECT name, max(version) FROM pipeline \
             GROUP BY name ORDER BY name COLLATE \"C\" LIMIT $1";
        let rows = self.rows(sql, &[&(PAGE_MAX as i64)]).await?;
        let pipeline =
            |row: &Row| (PipelineName::from(row.get::<_, String>(0)), row.get::<_, i32>(1) as u32);
        Ok(rows.iter().map(pipeline).collect())
    }

    /// The versions that living jobs are on.
    pub async fn live_versions(&self, name: &PipelineName) -> Result<Vec<u32>, Error> {
        let sql = "SELECT pipeline_version FROM message \
             JOIN job ON job.job_number = message.job WHERE job.pipeline = $1 \
             UNION SELECT pipeline_version FROM task \
             JOIN job ON job.job_number = task.job WHERE job.pipeline = $1 ORDER BY 1";
        let rows = self.rows(sql, &[&name.as_str()]).await?;
        Ok(rows.iter().map(|row| row.get::<_, i32>(0) as u32).collect())
    }

    /// Where a source stands.
    pub async fn checkpoint(&self, source: &str) -> Result<Option<Value>, Error> {
        let rows = self.rows("SELECT value FROM checkpoint WHERE source = $1", &[&source]).await?;
        let text: Option<String> = rows.first().map(|row| row.get(0));
        let read = |text: String| serde_json::from_str(&text);
        text.map(read).transpose().map_err(|_| self.corrupt("checkpoint"))
    }
}
