//! One stage that takes jobs by key, beside the same stage without keys, in the same run.

use serde_json::json;
use waystation::{App, Submission};

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

/// Drains a backlog of each case, one after the other in each round, and prints medians and how
/// they stand to the case without keys. `store` gives the URL of a fresh store by its name.
pub fn measure(
    name: &str,
    jobs: usize,
    rounds: usize,
    store: impl Fn(&str) -> String,
    forget: impl Fn(&str) -> Result<()>,
) -> Result<()> {
    let mut drained = CASES.map(|_| (Vec::new(), Vec::new()));
    for round in 0..rounds {
        for ((keys, _), (speeds, submits)) in CASES.iter().zip(&mut drained) {
            let place = format!("keyed_{round}_{}", *keys as u8);
            let Drain { jobs_per_second, submits_per_second, .. } =
                drain(jobs, *keys, &store(&place))?;
            forget(&place)?;
            speeds.push(jobs_per_second);
            submits.push(submits_per_second);
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

fn drain(jobs: usize, keys: Keys, store: &str) -> Result<Drain> {
    engine::runtime()?.block_on(async {
        let mut stage = json!({ "id": "apply", "type": "pass", "concurrency": CONCURRENCY });
        if keys != Keys::None {
            stage["key"] = json!("entity");
        }
        let app = App::new("bench").store(store).settings(stage).open().await?;
        let submission = |number| {
            let params = json!({ "entity": keys.of(number), "filling": "x".repeat(150) });
            Submission { params: engine::object(params), ..Submission::default() }
        };
        engine::drain_through(&app, jobs, submission).await
    })
}
