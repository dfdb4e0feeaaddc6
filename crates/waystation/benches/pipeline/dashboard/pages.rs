//! How long pages take over a long history on SQLite, while jobs run.

use std::time::Instant;

use waystation::JobId;
use waystation::core::state::JobState;

use super::Result;
use super::site::Site;
use crate::engine;
use crate::figures::Figures;

/// How often each page is looked at.
const LOOKS: usize = 40;

/// What was measured.
pub struct Report {
    /// Each page, and how long it took, in ms.
    pub pages: Vec<(String, Figures)>,
    /// How many jobs a second ended meanwhile.
    pub jobs_per_second: f64,
    /// How long the history took to make, in seconds.
    pub history_seconds: f64,
}

/// Looks at the pages over a history of so many jobs, while further jobs run.
pub fn measure(jobs: usize, store: &str) -> Result<Report> {
    engine::runtime()?.block_on(async {
        let site = Site::open(jobs, store).await?;
        let mut pages = Vec::new();
        for path in paths(&site.last) {
            let took = look(&format!("http://{}{path}", site.address)).await?;
            pages.push((path, took));
        }
        let history_seconds = site.history_seconds;
        let jobs_per_second = site.close().await?;
        Ok(Report { pages, jobs_per_second, history_seconds })
    })
}

/// The pages that people look at most, and the filters that are dearest.
fn paths(job_id: &JobId) -> Vec<String> {
    let failed = JobState::Failed;
    vec![
        "/".to_owned(),
        "/jobs".to_owned(),
        format!("/jobs?state={failed}"),
        "/jobs?state=running,queued".to_owned(),
        "/jobs?state=aborted".to_owned(),
        "/jobs?pipeline=bench&stage=second".to_owned(),
        "/jobs?text=img_123".to_owned(),
        "/jobs?text=no-such-text-anywhere".to_owned(),
        "/jobs?created_before=2001-01-01T00:00:00Z".to_owned(),
        format!("/jobs/{job_id}"),
        "/pipelines/bench".to_owned(),
        "/dead".to_owned(),
    ]
}

async fn look(url: &str) -> Result<Figures> {
    // Other crates' features leave the choice of a TLS library to us.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let mut took = Vec::with_capacity(LOOKS);
    for _ in 0..LOOKS {
        let started = Instant::now();
        let response = client.get(url).send().await?.error_for_status()?;
        response.bytes().await?;
        took.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(Figures::new(took))
}
