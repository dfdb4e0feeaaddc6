//! What came together for a topic since its last message.

use std::collections::VecDeque;

use waystation_core::event::{Event, EventKind};
use waystation_core::id::PipelineName;
use waystation_core::port::Signal;

use super::message::{Advance, Delta, Happening, Written};
use super::topic::Topic;

/// The most events of many jobs that one message shows.
const NOTABLE_MAX: usize = 20;
/// The most events of one job that one message shows.
const EVENTS_MAX: usize = 200;
/// The most log lines that one message shows: the last ones.
const LINES_MAX: usize = 100;

/// What came together.
#[derive(Default)]
pub struct Gathered {
    delta: Delta,
    lines: VecDeque<Written>,
}

impl Gathered {
    /// Takes in an event of the topic.
    pub fn add_event(&mut self, topic: &Topic, pipeline: &PipelineName, event: &Event) {
        *self.delta.kinds.entry(event.kind.as_str()).or_default() += 1;
        let (shown, shown_max) = match topic {
            Topic::Job(_) => (Some(Happening::whole(pipeline, event)), EVENTS_MAX),
            _ if is_notable(event.kind) => (Some(Happening::brief(pipeline, event)), NOTABLE_MAX),
            _ => (None, NOTABLE_MAX),
        };
        match shown {
            Some(shown) if self.delta.events.len() < shown_max => self.delta.events.push(shown),
            Some(_) => self.delta.events_left_out += 1,
            None => {}
        }
    }

    /// Takes in a signal of the job that is followed.
    pub fn add_signal(&mut self, signal: &Signal) {
        match signal {
            Signal::Progress { stage, percent, message, .. } => {
                let (stage, message) = (stage.to_string(), message.clone());
                self.delta.progress = Some(Advance { stage, percent: *percent, message });
            }
            Signal::Log { stage, level, line, .. } => {
                let (stage, level) = (stage.to_string(), level.as_str());
                self.lines.push_back(Written { stage, level, line: line.clone() });
                if self.lines.len() > LINES_MAX {
                    self.lines.pop_front();
                    self.delta.log_left_out += 1;
                }
            }
            Signal::Abort { .. } | Signal::Changed => {}
        }
    }

    /// Whether nothing came.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.delta == Delta::default()
    }

    /// Gives what came, and begins anew.
    pub fn take(&mut self) -> Delta {
        let mut delta = std::mem::take(&mut self.delta);
        delta.log = std::mem::take(&mut self.lines).into();
        delta
    }
}

/// Whether somebody who follows many jobs may want to look at the one that this happened to.
fn is_notable(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Failed | EventKind::Waiting | EventKind::Aborted | EventKind::Abandoned
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use waystation_core::clock::Timestamp;
    use waystation_core::event::Level;

    fn event(kind: EventKind) -> Event {
        let (job_id, stage) = ("j".into(), "scan".into());
        Event { job_id, kind, stage, visit: 1, attempt: 1, at: Timestamp(0), detail: None }
    }

    #[test]
    fn many_events_become_numbers_and_a_few_examples() {
        let mut gathered = Gathered::default();
        let pipeline = PipelineName::from("p");
        for _ in 0..10_000 {
            gathered.add_event(&Topic::All, &pipeline, &event(EventKind::Started));
            gathered.add_event(&Topic::All, &pipeline, &event(EventKind::Failed));
        }
        let delta = gathered.take();
        assert_eq!((delta.kinds["started"], delta.kinds["failed"]), (10_000, 10_000));
        assert_eq!((delta.events.len(), delta.events_left_out), (NOTABLE_MAX, 9_980));
        assert!(delta.events.iter().all(|event| event.kind == "failed"));
        assert!(gathered.is_empty());
    }

    #[test]
    fn last_lines_and_last_progress_of_a_job_are_kept() {
        let mut gathered = Gathered::default();
        let (job_id, stage) = (waystation_core::id::JobId::from("j"), || "scan".into());
        for number in 0..150_u32 {
            let (line, level) = (format!("line {number}"), Level::Info);
            let job_id = job_id.clone();
            let said = Signal::Log { job_id: job_id.clone(), stage: stage(), level, line };
            gathered.add_signal(&said);
            let (percent, message) = (f64::from(number), String::new());
            gathered.add_signal(&Signal::Progress { job_id, stage: stage(), percent, message });
        }
        let delta = gathered.take();
        assert_eq!((delta.log.len(), delta.log_left_out), (LINES_MAX, 50));
        assert_eq!(delta.log.last().map(|line| &*line.line), Some("line 149"));
        assert_eq!(delta.progress.map(|progress| progress.percent), Some(149.0));
    }
}
