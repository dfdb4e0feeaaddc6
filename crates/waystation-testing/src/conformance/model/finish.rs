//! All that is to be seen in the end.

use std::time::Duration;

use waystation_core::job::JobFilter;

use super::world::{STAGES, World, agree};

impl World {
    /// Compares everything, lets everything become due, and compares what is still delivered.
    pub async fn finish(&mut self) {
        self.compare_all().await;
        self.tell("let all become due".to_owned());
        self.advance(Duration::from_hours(1));
        for stage in STAGES {
            while self.receive(stage).await > 0 {}
        }
        self.compare_all().await;
    }

    async fn compare_all(&mut self) {
        self.compare_pages().await;
        for job_id in self.job_ids.clone() {
            self.look_at_job(&job_id).await;
        }
        self.look_at_totals().await;
        self.look_on().await;
        self.see_tasks().await;
        self.see_letters().await;
    }

    async fn compare_pages(&mut self) {
        self.tell("list every job".to_owned());
        let mut before = None;
        loop {
            let filter = JobFilter { before, limit: 7, ..JobFilter::default() };
            let subject = self.subject.store.jobs(filter.clone());
            let page = agree(subject, self.reference.store.jobs(filter)).await;
            let Some(last) = page.and_then(|mut page| page.jobs.pop()) else {
                break;
            };
            before = Some(last.job_id);
        }
    }
}
