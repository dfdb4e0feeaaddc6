//! The names of everything that is kept on the server.
//!
//! A stage's queue `Q` is the stream `queue:Q`, with `queue:Q:priority` beside it for what goes
//! first; `scripts/common.lua` tells what else follows from its name. Events go to the journal.

use waystation_core::id::{JobId, QueueName};

use crate::options::Options;

/// What stands behind the prefix of a queue's keys.
const QUEUE: &str = "queue:";
const JOB: &str = "job:";
const PROGRESS: &str = ":progress";

/// The stream of a queue's normal lane, of which its other keys follow.
pub fn queue(options: &Options, queue: &QueueName) -> String {
    format!("{}{QUEUE}{queue}", options.prefix)
}

/// The streams that wake whoever waits for something in a queue: its normal lane, its priority
/// lane, and that of what came neither way.
pub fn wakers(base: &str) -> Vec<String> {
    vec![base.to_owned(), format!("{base}:priority"), format!("{base}:wake")]
}

/// The stream that events go to.
pub fn journal(options: &Options) -> String {
    format!("{}{}", options.prefix, options.journal)
}

/// The lock of the journal's one reader.
pub fn journal_lock(options: &Options) -> String {
    format!("{}:reader", journal(options))
}

/// The channel that carries progress and log lines of a job.
pub fn progress(options: &Options, job_id: &str) -> String {
    format!("{}{JOB}{job_id}{PROGRESS}", options.prefix)
}

/// The job whose channel this is.
pub fn job_of(options: &Options, channel: &str) -> Option<JobId> {
    let rest = channel.strip_prefix(&options.prefix)?.strip_prefix(JOB)?;
    rest.strip_suffix(PROGRESS).map(JobId::from)
}

/// The key of a job's last progress.
pub fn last_progress(options: &Options, job_id: &JobId) -> String {
    format!("{}:last", progress(options, job_id.as_str()))
}

/// The channel that carries aborts.
pub fn aborts(options: &Options) -> String {
    format!("{}waystation:abort", options.prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_keys_are_for() {
        let options = Options::parse("redis://h?prefix=x:").expect("a good URL");
        let job = JobId::from("a:b");
        for (name, expected) in [
            (queue(&options, &"raw_images".into()), "x:queue:raw_images"),
            (journal(&options), "x:job_events"),
            (journal_lock(&options), "x:job_events:reader"),
            (progress(&options, job.as_str()), "x:job:a:b:progress"),
            (last_progress(&options, &job), "x:job:a:b:progress:last"),
            (aborts(&options), "x:waystation:abort"),
        ] {
            assert_eq!(name, expected);
        }
        assert_eq!(job_of(&options, "x:job:a:b:progress"), Some(job));
        assert_eq!(job_of(&options, "job:a:progress"), None);
    }
}
