//! Both backends, and what is remembered of them.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use waystation_core::clock::{Clock, Timestamp};
use waystation_core::job::{DeadLetterRecord, TaskRecord};
use waystation_core::journal::Entry;
use waystation_core::port::Error;
use waystation_core::settlement::Delivery;

use crate::FakeClock;
use crate::conformance::{Backend, Harness, bounded};

/// The same thing in the subject and in the reference.
pub(super) type Pair<Thing> = (Thing, Thing);

/// How many handed-out things are remembered; the oldest are forgotten first.
const REMEMBERED_MAX: usize = 40;
/// How many steps a failure tells.
const STEPS_TOLD: usize = 30;

/// Stages whose queues are used.
pub(super) const STAGES: [&str; 3] = ["first", "second", "third"];

/// Keys that jobs are told apart by, or not.
pub(super) const KEYS: [Option<&str>; 5] = [None, None, None, Some("k"), Some("l")];

pub(super) struct World {
    pub random: fastrand::Rng,
    pub subject: Backend,
    pub reference: Backend,
    clocks: Pair<FakeClock>,
    pub payload_bytes_max: usize,
    pub job_ids: Vec<String>,
    pub deliveries: Vec<Pair<Delivery>>,
    pub tasks: Vec<Pair<TaskRecord>>,
    pub letters: Vec<Pair<DeadLetterRecord>>,
    /// What a broker delivers, where both are ledgers.
    pub broker: Vec<Delivery>,
    /// What was written into the journal last.
    pub told: Vec<Entry>,
    story: Story,
}

impl World {
    pub async fn open(seed: u64, subject: &mut dyn Harness, reference: &mut dyn Harness) -> Self {
        assert_eq!(
            subject.payload_bytes_max(),
            reference.payload_bytes_max(),
            "both are set up for the same bodies"
        );
        Self {
            random: fastrand::Rng::with_seed(seed),
            payload_bytes_max: subject.payload_bytes_max(),
            clocks: (subject.clock().clone(), reference.clock().clone()),
            subject: subject.open().await,
            reference: reference.open().await,
            job_ids: Vec::new(),
            deliveries: Vec::new(),
            tasks: Vec::new(),
            letters: Vec::new(),
            broker: Vec::new(),
            told: Vec::new(),
            story: Story { seed, steps: Vec::new() },
        }
    }

    pub fn now(&self) -> Timestamp {
        self.clocks.1.now()
    }

    pub fn advance(&mut self, by: Duration) {
        self.clocks.0.advance(by);
        self.clocks.1.advance(by);
    }

    /// Writes down what comes next.
    pub fn tell(&mut self, step: String) {
        self.story.steps.push(step);
    }

    /// One of these.
    pub fn pick<Choice: Copy>(&mut self, choices: &[Choice]) -> Choice {
        choices[self.random.usize(..choices.len())]
    }

    /// True this often in a hundred.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.random.u32(..100) < percent
    }

    /// A job that may exist.
    pub fn some_job(&mut self) -> String {
        if self.job_ids.is_empty() || self.chance(3) {
            return "nobody".to_owned();
        }
        let index = self.random.usize(..self.job_ids.len());
        let job_id = self.job_ids[index].clone();
        // Or a child of it, if it has one.
        if self.chance(25) { format!("{job_id}.1-x") } else { job_id }
    }
}

/// Asks both and compares their answers. What went wrong counts as an answer.
pub(super) async fn agree<Answer: PartialEq + Debug + Clone>(
    subject: impl Future<Output = Result<Answer, Error>>,
    reference: impl Future<Output = Result<Answer, Error>>,
) -> Option<Answer> {
    agree_but_for(subject, reference, |_| {}).await.map(|(_, answer)| answer)
}

/// As [`agree`], with what is each backend's own blotted out before the comparison. Gives both
/// answers as they were.
pub(super) async fn agree_but_for<Answer: PartialEq + Debug + Clone>(
    subject: impl Future<Output = Result<Answer, Error>>,
    reference: impl Future<Output = Result<Answer, Error>>,
    blot: impl Fn(&mut Answer),
) -> Option<Pair<Answer>> {
    let subject = bounded(subject).await.map_err(|error| error.to_string());
    let reference = bounded(reference).await.map_err(|error| error.to_string());
    let blotted = |answer: &Result<Answer, String>| {
        let mut answer = answer.clone();
        if let Ok(answer) = &mut answer {
            blot(answer);
        }
        answer
    };
    assert_eq!(
        blotted(&subject),
        blotted(&reference),
        "the backend (left) answers as the reference (right)"
    );
    subject.ok().zip(reference.ok())
}

/// Remembers pairs, and forgets the oldest when there are too many.
pub(super) fn remember<Thing>(known: &mut Vec<Pair<Thing>>, new: Pair<Vec<Thing>>) {
    known.extend(new.0.into_iter().zip(new.1));
    let surplus = known.len().saturating_sub(REMEMBERED_MAX);
    known.drain(..surplus);
}

/// What was done so far, told when a comparison fails.
struct Story {
    seed: u64,
    steps: Vec<String>,
}

impl Drop for Story {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let skipped = self.steps.len().saturating_sub(STEPS_TOLD);
        eprintln!("the model test failed with seed {}, after:", self.seed);
        for (number, step) in self.steps.iter().enumerate().skip(skipped) {
            eprintln!("{:>5}. {step}", number + 1);
        }
    }
}
