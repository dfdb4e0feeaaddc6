//! The same in plain English.

use std::time::Duration;

use waystation_core::clock::Timestamp;

use super::span::span;
use super::{Doer, Why};

impl Why {
    /// In words, as they are true at this moment.
    pub fn words(&self, now: Timestamp) -> String {
        match self {
            Self::Running { .. } | Self::RetryDue { .. } | Self::Postponed { .. } => {
                self.attempt_words(now)
            }
            Self::AtInbox { .. } | Self::Join { .. } | Self::Delayed { .. } => {
                self.waiting_words(now)
            }
            Self::AbortWanted { reason } => format!(
                "is to be aborted ({reason}): its worker is told, or the next one that meets it \
                 ends it"
            ),
            Self::Paused { .. } | Self::Unserved { .. } => self.obstacle_words(now),
            Self::InQueue { .. } | Self::Away { .. } => self.queue_words(),
            Self::Behind { key, first, ahead } => {
                let others = match ahead - 1 {
                    0 => String::new(),
                    others => format!(" and {others} more"),
                };
                format!("waits for job `{first}`{others} before it with the same key `{key}`")
            }
            Self::Failed { stage, at, failure, can_retry } => {
                let what = failure.as_ref().map_or_else(String::new, |one| format!(": {one}"));
                let next = if *can_retry {
                    "nothing happens until somebody retries it or drops it"
                } else {
                    "its dead letter was dropped: submit it again as a new job"
                };
                format!("failed at stage `{stage}` {}{what}; {next}", ago(*at, now))
            }
            Self::Aborted { at, reason } => format!("aborted {}: {reason}", ago(*at, now)),
            Self::Completed { at } => format!("completed {}", ago(*at, now)),
            Self::Skipped { at } => format!("ended {} without work to do", ago(*at, now)),
            Self::Moving => "on its way to its next stage just now: look again".to_owned(),
        }
    }

    fn attempt_words(&self, now: Timestamp) -> String {
        match self {
            Self::Running { stage, attempt, since, worker, leased_until, is_missed } => {
                let on = worker.as_ref().map_or_else(String::new, |name| format!(" on {name}"));
                let lease = leased_until.map_or_else(String::new, |until| {
                    if until > now {
                        format!("; its lease lasts {} unless renewed", span(until.since(now)))
                    } else {
                        "; its lease has run out, and it comes up again".to_owned()
                    }
                });
                let length = span(now.since(*since));
                let missed = if *is_missed {
                    "; no worker tells that it has it: if its worker died, the broker hands it out \
                     again"
                } else {
                    ""
                };
                format!("attempt {attempt} at stage `{stage}` runs{on} for {length}{lease}{missed}")
            }
            Self::RetryDue { stage, attempt, attempts_max, due, failure } => {
                let of = attempts_max.map_or_else(String::new, |max| format!(" of {max}"));
                let what = failure.as_ref().map_or_else(String::new, |one| format!(": {one}"));
                let when = within(*due, now);
                let (next, failed) = (attempt + 1, format!("attempt {attempt}{of} failed{what}"));
                format!("attempt {next} at stage `{stage}` is due {when} ({failed})")
            }
            Self::Postponed { due, reason } => {
                format!("was put back uncounted and comes up {}: {reason}", within(*due, now))
            }
            _ => String::new(),
        }
    }

    fn waiting_words(&self, now: Timestamp) -> String {
        match self {
            Self::Delayed { until } => {
                format!("is not to begin before {until} ({})", within(*until, now))
            }
            Self::AtInbox { task_id, stage, since, holder, due_at } => {
                let whose = match holder {
                    Some(name) => format!("held by {name}"),
                    None => "held by nobody".to_owned(),
                };
                let due = due_at.map_or_else(String::new, |due| {
                    if due > now {
                        format!(", due {}", within(due, now))
                    } else {
                        format!(", overdue for {}", span(now.since(due)))
                    }
                });
                format!(
                    "waits for a person at stage `{stage}` for {} (task {task_id}, {whose}{due})",
                    span(now.since(*since))
                )
            }
            Self::Join { stage, children, completed, failed, needed } => {
                let ended = completed + failed;
                let of = children.map_or_else(String::new, |all| format!(" of {all}"));
                let bad =
                    if *failed > 0 { format!(", {failed} of them failed") } else { String::new() };
                format!(
                    "waits for its children at stage `{stage}`: {ended}{of} have ended{bad}, and \
                     {needed} more must"
                )
            }
            _ => String::new(),
        }
    }

    fn obstacle_words(&self, now: Timestamp) -> String {
        match self {
            Self::Paused { target, by, at, reason } => {
                format!("{} is paused by {by}, {}: {reason}", target.words(), ago(*at, now))
            }
            Self::Unserved { stage, by: Doer::Engine } => {
                format!("no running process serves stage `{stage}` (hint: start one)")
            }
            Self::Unserved { stage, by: Doer::Remote } => {
                format!("no remote worker asked for work of stage `{stage}` in the last 15 s")
            }
            Self::Unserved { stage, by: Doer::Foreign } => {
                format!("a foreign program does stage `{stage}`, and does not tell whether it runs")
            }
            _ => String::new(),
        }
    }

    fn queue_words(&self) -> String {
        let (at, queue, ready, per_minute) = match self {
            Self::Away { queue, ready, per_minute } => {
                ("waits its turn at the broker, in queue", queue, ready, per_minute)
            }
            Self::InQueue { queue, ready, per_minute } => {
                ("waits its turn in queue", queue, ready, per_minute)
            }
            _ => return String::new(),
        };
        let depth = ready.map_or_else(String::new, |ready| format!(" with {ready} ready"));
        let rate = per_minute.filter(|rate| *rate > 0.0);
        let pace = rate.map_or_else(String::new, |rate| {
            let all = ready.map(|ready| ready as f64 / rate * 60.0);
            let all = all.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            let all = all.map_or_else(String::new, |all| {
                format!(", at which all of them take {}", span(all))
            });
            format!("; of late {rate:.1} begin a minute{all}")
        });
        format!("{at} `{queue}`{depth}{pace}")
    }
}

fn ago(at: Timestamp, now: Timestamp) -> String {
    format!("{} ago", span(now.since(at)))
}

fn within(due: Timestamp, now: Timestamp) -> String {
    format!("in {}", span(due.since(now)))
}
