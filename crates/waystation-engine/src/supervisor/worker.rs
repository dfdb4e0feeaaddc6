//! A worker's own side: it runs pipelines by its assignment, says what it does, and ends when it is
//! to.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use waystation_core::clock::Clock;
use waystation_core::id::JobId;
use waystation_core::port;

use super::line::{Beat, Line};
use super::{Assignment, Work};
use crate::control::{Crew, InHand, Pulse, Teller, Witness};
use crate::pipelines::Pipelines;

/// How often it says what it does.
const BEAT: Duration = Duration::from_secs(1);
/// A job that should be over gets this long to notice, beside the grace that attempts have.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where lines go.
pub type Tell = Arc<dyn Fn(&Line) + Send + Sync>;

/// What a worker's process does: it runs pipelines until its input ends or it is told to drain, and
/// then until all is quiet. To be called by the program that
/// [`Launch::Processes`](super::Launch::Processes) starts.
pub async fn work(
    work: Work,
    assignment: Assignment,
    drain: CancellationToken,
) -> Result<(), port::Error> {
    watch_input(drain.clone());
    let tell: Tell = Arc::new(|line: &Line| {
        // Nobody may listen any more. The input has ended then, too.
        let _ = std::io::stdout().lock().write_all(line.write().as_bytes());
    });
    let result = run(work, assignment, Arc::clone(&tell), drain).await;
    if let Err(error) = &result {
        tell(&Line::Fails(error.to_string()));
    }
    result
}

/// Runs pipelines, and says what it does.
pub async fn run(
    work: Work,
    assignment: Assignment,
    tell: Tell,
    drain: CancellationToken,
) -> Result<(), port::Error> {
    let crew = Crew::witnessed(Arc::new(Mouth(Arc::clone(&tell))));
    let patience = work.options.grace + PATIENCE;
    let beats = beats(crew.clone(), Arc::clone(&work.backend.clock), patience, tell);
    let beats = AbortOnDropHandle::new(tokio::spawn(beats));
    let ended = CancellationToken::new();
    let teller = Teller {
        backend: work.backend.clone(),
        crew: crew.clone(),
        drain: drain.clone(),
        ended: ended.clone(),
    };
    let teller = tokio::spawn(teller.run());
    let Work { backend, registry, only, options } = work;
    let pipelines = Pipelines { backend, registry, only, role: assignment.role, options, crew };
    let result = pipelines.run(drain).await;
    ended.cancel();
    let _ = teller.await;
    drop(beats);
    result
}

/// Ends the worker when whoever started it lets go of its input, or is gone.
fn watch_input(drain: CancellationToken) {
    // A thread, since nothing can be waited for here that could not be interrupted.
    std::thread::spawn(move || {
        let mut byte = [0];
        while std::io::stdin().read(&mut byte).is_ok_and(|count| count > 0) {}
        drain.cancel();
    });
}

async fn beats(crew: Crew, clock: Arc<dyn Clock>, patience: Duration, tell: Tell) {
    let mut interval = tokio::time::interval(BEAT);
    loop {
        interval.tick().await;
        let Pulse { turns, in_flight, settled } = crew.pulse();
        let overdue = crew.overdue(clock.now(), patience);
        let worker_id = crew.worker_id().to_owned();
        tell(&Line::Beat(Beat { worker_id, turns, in_flight, settled, overdue }));
    }
}

/// Says it before work begins that may be the process's last.
struct Mouth(Tell);

impl Witness for Mouth {
    fn begins(&self, job: &InHand) {
        let (job_id, stage) = (job.job_id.clone(), job.stage.clone());
        (self.0)(&Line::Begins { job_id, stage });
    }

    fn outlived(&self, job_id: &JobId) {
        (self.0)(&Line::Outlived(job_id.clone()));
    }
}
