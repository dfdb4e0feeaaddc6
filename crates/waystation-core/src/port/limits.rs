//! What every queue refuses before it writes anything.

use super::{Error, SETTLE_MAX};
use crate::settlement::{NewJob, Next, Settlement, Start};

/// Refuses a batch that is too large.
pub fn check_batch(entries: usize) -> Result<(), Error> {
    if entries <= SETTLE_MAX {
        return Ok(());
    }
    Err(Error::BatchTooLarge { entries, entries_max: SETTLE_MAX })
}

/// Refuses jobs of which one is too large, and too many of them.
pub fn check_jobs(jobs: &[NewJob], bytes_max: usize) -> Result<(), Error> {
    check_batch(jobs.len())?;
    jobs.iter().try_for_each(|job| check_job(job, bytes_max))
}

fn check_job(job: &NewJob, bytes_max: usize) -> Result<(), Error> {
    let body = match &job.start {
        Start::Queue(message) => &message.body,
        Start::Inbox(task) => &task.body,
    };
    check_body(job.job_id.as_str(), body, bytes_max)
}

/// Refuses settlements of which one is too large or means nothing, and too many of them.
pub fn check_settlements(settlements: &[Settlement], bytes_max: usize) -> Result<(), Error> {
    check_batch(settlements.len())?;
    settlements.iter().try_for_each(|settlement| {
        if let Some(message) = settlement.senseless() {
            let name = format!("settlement of job {}", settlement.job_id);
            return Err(Error::Broken { name, message: message.to_owned() });
        }
        settlement.children.iter().try_for_each(|child| check_job(child, bytes_max))?;
        let body = match &settlement.next {
            Next::Enqueue(message) | Next::Await(message, _) => &message.body,
            Next::Park(task) => &task.body,
            Next::End { body, failure: None } => body,
            // What failed is kept as it was delivered, whatever the limit is by now.
            Next::End { .. } | Next::HandBack | Next::Drop | Next::HandOver => return Ok(()),
        };
        check_body(settlement.job_id.as_str(), body, bytes_max)
    })
}

fn check_body(job_id: &str, body: &[u8], bytes_max: usize) -> Result<(), Error> {
    if body.len() <= bytes_max {
        return Ok(());
    }
    Err(Error::TooLarge { job_id: job_id.to_owned(), bytes: body.len(), bytes_max })
}
