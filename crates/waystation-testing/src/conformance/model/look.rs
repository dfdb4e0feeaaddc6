//! The steps that only look.

use std::collections::BTreeMap;
use std::time::Duration;

use waystation_core::clock::Timestamp;
use waystation_core::event::Event;
use waystation_core::job::{DeadLetterFilter, Family, JobFilter, TaskFilter};
use waystation_core::state::JobState;
use waystation_core::statistics::Period;

use super::world::{STAGES, World, agree, agree_but_for, remember};
use crate::conformance::listings::counts;
use crate::conformance::{Backend, bounded};
use crate::sample;

/// More tasks and letters than any run leaves.
const ALL: usize = 1_000;

impl World {
    /// Compares something that is to be seen.
    pub async fn look(&mut self) {
        match self.random.u32(..7) {
            0 | 1 => {
                let job_id = self.some_job();
                self.look_at_job(&job_id).await;
            }
            2 => self.look_at_page().await,
            3 => self.look_at_totals().await,
            4 => self.see_tasks().await,
            5 => self.look_on().await,
            _ => self.see_letters().await,
        }
    }

    /// Compares all that is known of a job.
    pub async fn look_at_job(&mut self, job_id: &str) {
        self.tell(format!("look at {job_id}"));
        let (subject, reference) = (&self.subject.store, &self.reference.store);
        let job_id = &job_id.into();
        agree(subject.job(job_id), reference.job(job_id)).await;
        agree(subject.events(job_id), reference.events(job_id)).await;
        agree(subject.log(job_id), reference.log(job_id)).await;
        agree(subject.awaited(job_id), reference.awaited(job_id)).await;
        agree(subject.behind(job_id), reference.behind(job_id)).await;
        for visit in 1..=3 {
            let theirs = reference.children(job_id, visit, 0, ALL);
            agree(subject.children(job_id, visit, 0, ALL), theirs).await;
        }
    }

    async fn look_at_page(&mut self) {
        let moment = |world: &mut Self| {
            let age = Duration::from_millis(world.pick(&[0, 1, 5_000, 60_000]));
            world.now().minus(age)
        };
        let states = self.random.usize(..6).saturating_sub(3);
        let filter = JobFilter {
            pipeline: self.chance(30).then(|| sample::PIPELINE.into()),
            states: (0..states).map(|_| self.pick(&JobState::ALL)).collect(),
            created_from: self.chance(15).then(|| moment(self)),
            created_before: self.chance(15).then(|| moment(self)),
            text: self.chance(15).then(|| self.pick(&["-1", "NUMBER", "xx", "zz"]).to_owned()),
            stage: self.chance(30).then(|| self.pick(&STAGES).into()),
            before: self.chance(40).then(|| self.some_job().as_str().into()),
            family: match self.random.u32(..4) {
                0 => Family::Parents,
                1 => Family::ChildrenOf(self.some_job().as_str().into()),
                _ => Family::All,
            },
            limit: self.pick(&[0, 1, 5, 50]),
        };
        self.tell(format!("list {filter:?}"));
        let subject = self.subject.store.jobs(filter.clone());
        agree(subject, self.reference.store.jobs(filter)).await;
    }

    /// Compares counts, depths, versions and the checkpoint.
    pub async fn look_at_totals(&mut self) {
        self.tell("look at totals".to_owned());
        let (subject, reference) = (&self.subject, &self.reference);
        for pipeline in [None, Some(sample::PIPELINE.into()), Some("others".into())] {
            let pipeline = pipeline.as_ref();
            let found = counts(subject, pipeline).await;
            assert_eq!(found, counts(reference, pipeline).await);
            let name = &pipeline.cloned().unwrap_or_else(|| "nowhere".into());
            let (subject, reference) = (&subject.store, &reference.store);
            agree(subject.live_versions(name), reference.live_versions(name)).await;
            agree(subject.pipeline(name, None), reference.pipeline(name, None)).await;
            for stage in STAGES {
                let queue = &format!("{name}.{stage}").as_str().into();
                let depths = (&self.subject.queue, &self.reference.queue);
                agree(depths.0.depth(queue), depths.1.depth(queue)).await;
            }
        }
        self.look_at_marks().await;
        let (subject, reference) = (&self.subject, &self.reference);
        let source = "samples/find";
        let subject = subject.store.checkpoint(source);
        agree(subject, reference.store.checkpoint(source)).await;
    }

    /// Compares what was counted, what waits in all queues, and what the feed told. Events of
    /// different jobs that were written together stand in any order.
    pub async fn look_on(&mut self) {
        self.tell("look on".to_owned());
        let (subject, reference) = (&self.subject.store, &self.reference.store);
        let minutes = Period::Minutes(Timestamp(0), self.now());
        for period in [Period::Ever, minutes] {
            agree(subject.statistics(period.clone()), reference.statistics(period)).await;
        }
        let depths = agree(subject.depths(), reference.depths()).await;
        assert!(depths.is_some(), "the depths are told");
        let reference = read_feed(&self.reference, None).await;
        let count = reference.values().map(Vec::len).sum();
        assert_eq!(read_feed(&self.subject, Some(count)).await, reference);
    }

    /// Compares the open tasks, and remembers them.
    pub async fn see_tasks(&mut self) {
        self.tell("look at tasks".to_owned());
        let pair = agree_but_for(
            self.subject.store.tasks(TaskFilter::first(ALL)),
            self.reference.store.tasks(TaskFilter::first(ALL)),
            |tasks| tasks.iter_mut().for_each(|task| task.task_id = 0),
        );
        if let Some(pair) = pair.await {
            remember(&mut self.tasks, pair);
        }
    }

    /// Compares the dead letters, and remembers them.
    pub async fn see_letters(&mut self) {
        self.tell("look at dead letters".to_owned());
        let pair = agree_but_for(
            self.subject.store.dead_letters(DeadLetterFilter::newest(ALL)),
            self.reference.store.dead_letters(DeadLetterFilter::newest(ALL)),
            |letters| letters.iter_mut().for_each(|letter| letter.dead_letter_id = 0),
        );
        if let Some(pair) = pair.await {
            remember(&mut self.letters, pair);
        }
    }
}

/// All that the feed tells, by jobs: so much, or as much as there is.
async fn read_feed(backend: &Backend, count: Option<usize>) -> BTreeMap<String, Vec<Event>> {
    let reading = async {
        let (mut jobs, mut place, mut told) = (BTreeMap::<String, Vec<Event>>::new(), 0, 0);
        loop {
            let feed = backend.store.feed(Some(place), ALL).await.expect("the feed is read");
            let is_all = count.map_or(feed.events.is_empty(), |count| told >= count);
            if is_all {
                assert!(feed.events.is_empty(), "nothing more has happened");
                return jobs;
            }
            told += feed.events.len();
            for (pipeline, event) in feed.events {
                let job = format!("{pipeline} {}", event.job_id);
                jobs.entry(job).or_default().push(event);
            }
            place = feed.next;
        }
    };
    bounded(reading).await
}
