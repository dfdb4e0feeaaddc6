//! One stage that takes jobs by key, beside the same stage without keys, in the same run.

use serde_json::{Value, json};
use waystation::{App, Submission};

use crate::brokered;
use crate::engine::{self, CONCURRENCY, Drain};
use crate::figures::median;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How many keys the jobs are spread over, unless each has its own.
const KEYS: usize = 5_000;
/// One in so many has the hot key.
const HOT: usize = 5;

/// How jobs are told apart.
#[derive(Clone, Copy, PartialEq)]
enum Keys {
    None,
    Uniform,
    Hot,
    Own,
}

const CASES: [(Keys, &str); 4] = [
    (Keys::None, "without keys"),
    (Keys::Uniform, "5,000 keys"),
    (Keys::Hot, "a fifth of one key"),
    (Keys::Own, "each its own key"),
];

impl Keys {
    fn of(self, number: usize) -> String {
        match self {
            Self::None | Self::Own => format!("ip:{number}"),
            Self::Hot if number.is_multiple_of(HOT) => "ip:hot".to_owned(),
            Self::Uniform | Self::Hot => format!("ip:{}", number % KEYS),
        }
    }
}

/// How quick a drain was, and the submitting before it, in jobs per second.
pub struct Speed {
    worked: f64,
    submitted: f64,
}

/// Drains a backlog of each case, one after the other in each round, and prints medians and how
/// they stand to the case without keys. `drain` does so at a place by its name.
pub fn measure(
    name: &str,
    jobs: usize,
    rounds: usize,
    drain: impl Fn(&str, &Stage) -> Result<Speed>,
) -> Result<()> {
    let mut drained = CASES.map(|_| (Vec::new(), Vec::new()));
    for round in 0..rounds {
        for ((keys, _), (speeds, submits)) in CASES.iter().zip(&mut drained) {
            let place = format!("keyed_{round}_{}", *keys as u8);
            let speed = drain(&place, &Stage { jobs, keys: *keys })?;
            speeds.push(speed.worked);
            submits.push(speed.submitted);
        }
    }
    println!("{name} by key: {jobs} jobs, one no-op stage");
    let (mut plain, mut plain_submits) = (f64::NAN, f64::NAN);
    for ((keys, words), (speeds, submits)) in CASES.iter().zip(&mut drained) {
        let (speed, submit) = (median(speeds), median(submits));
        if *keys == Keys::None {
            (plain, plain_submits) = (speed, submit);
        }
        println!(
            "  {words:<20} {speed:>9.0} jobs/s  ratio {:.2}   submit {submit:>9.0} jobs/s  \
             ratio {:.2}",
            speed / plain,
            submit / plain_submits
        );
    }
    Ok(())
}

/// What is drained.
pub struct Stage {
    jobs: usize,
    keys: Keys,
}

impl Stage {
    /// Through a store that is queue and store at once.
    pub fn drain(&self, store: &str) -> Result<Speed> {
        let mut stage = self.settings();
        stage["id"] = json!("apply");
        stage["type"] = json!("pass");
        stage["concurrency"] = json!(CONCURRENCY);
        engine::runtime()?.block_on(async {
            let app = App::new("bench").store(store).settings(stage).open().await?;
            let submission = |number| self.submission(number);
            let Drain { jobs_per_second, submits_per_second, .. } =
                engine::drain_through(&app, self.jobs, submission).await?;
            Ok(Speed { worked: jobs_per_second, submitted: submits_per_second })
        })
    }

    /// Through a broker with a store beside it, until the last job was worked on.
    pub fn drain_brokered(&self, store: &str, queue: &str) -> Result<Speed> {
        let submission = |number| self.submission(number);
        let stages = (&[][..], &self.settings());
        let drained = brokered::drain_through(self.jobs, stages, submission, store, queue)?;
        Ok(Speed { worked: drained.worked, submitted: drained.submitted })
    }

    fn settings(&self) -> Value {
        if self.keys == Keys::None { json!({}) } else { json!({ "key": "entity" }) }
    }

    fn submission(&self, number: usize) -> Submission {
        let params = json!({ "entity": self.keys.of(number), "filling": "x".repeat(150) });
        Submission { params: engine::object(params), ..Submission::default() }
    }
}
