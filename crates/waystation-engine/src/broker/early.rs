//! Posts that are *early*: a job is passed on a moment before the journal is told of it, and a
//! foreign stage that is quick may tell earlier. They wait for what they build on, for a while.

use std::time::Duration;

use tokio::time::Instant;
use waystation_core::clock::Timestamp;
use waystation_core::id::{JobId, StageId};
use waystation_core::journal::{Change, Entry};
use waystation_core::port::Post;

use super::foreign::is_whole;

/// How long a post may be early. Then it is taken as it is.
const EARLY_MAX: Duration = Duration::from_secs(1);

/// A post, and until when it may be early.
pub struct Held {
    /// The post.
    pub post: Post,
    /// Until when.
    pub until: Instant,
}

/// Posts that were early when they were looked at last, in their order.
#[derive(Default)]
pub struct Early {
    posts: Vec<(Waits, Held)>,
}

/// What a post waits for: that the job is at the stage.
struct Waits {
    job_id: JobId,
    stage: StageId,
    at: Timestamp,
}

impl Held {
    /// A post that has just been read.
    pub fn new(post: Post) -> Self {
        Self { post, until: Instant::now() + EARLY_MAX }
    }

    /// Whether it may still be early.
    pub fn is_patient(&self) -> bool {
        Instant::now() < self.until
    }
}

impl Early {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.posts.is_empty()
    }

    /// Whether a post of this job waits: what its stage tells after that waits with it.
    pub fn waits(&self, job_id: &JobId) -> bool {
        self.posts.iter().any(|(waits, _)| waits.job_id == *job_id)
    }

    /// Lets a post wait, which tells this.
    pub fn hold(&mut self, held: Held, entry: &Entry) {
        let (job_id, stage) = (entry.job_id.clone(), entry.step.stage.clone());
        self.posts.push((Waits { job_id, stage, at: entry.step.at }, held));
    }

    /// All of them, to be looked at again.
    pub fn take(&mut self) -> impl Iterator<Item = Held> + use<> {
        std::mem::take(&mut self.posts).into_iter().map(|(_, held)| held)
    }

    /// Those that wait for where these entries take their jobs: they are early no more.
    pub fn reached_by(&mut self, entries: &[Entry]) -> Vec<Held> {
        self.take_where(|waits| {
            entries.iter().any(|entry| entry.job_id == waits.job_id && reaches(entry, waits))
        })
    }

    /// Those that are older than what these entries tell of their jobs: nothing that they wait for
    /// will come any more.
    pub fn overtaken_by(&mut self, entries: &[Entry]) -> Vec<Held> {
        let now = Instant::now();
        let mut overtaken = self.take_where(|waits| {
            let newer = |entry: &Entry| {
                is_whole(entry) && entry.told_at() > waits.at && !reaches(entry, waits)
            };
            entries.iter().any(|entry| entry.job_id == waits.job_id && newer(entry))
        });
        for held in &mut overtaken {
            held.until = now;
        }
        overtaken
    }

    fn take_where(&mut self, is_meant: impl Fn(&Waits) -> bool) -> Vec<Held> {
        if self.posts.is_empty() {
            return Vec::new();
        }
        let (taken, kept) = std::mem::take(&mut self.posts)
            .into_iter()
            .partition::<Vec<_>, _>(|(waits, _)| is_meant(waits));
        self.posts = kept;
        taken.into_iter().map(|(_, held)| held).collect()
    }
}

fn reaches(entry: &Entry, waits: &Waits) -> bool {
    matches!(&entry.change, Change::Landed { stage, .. } if *stage == waits.stage)
}
