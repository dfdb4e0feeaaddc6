//! Takes what an attempt says: progress to the bus, lines to the bus and into the job's log.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use waystation_core::clock::Clock;
use waystation_core::event::{LOG_LINE_BYTES_MAX, LOG_LINES_MAX, Level, LogLine};
use waystation_core::failure::truncate;
use waystation_core::handler::Reporter;
use waystation_core::id::{JobId, StageId};
use waystation_core::port::{Bus, Signal};
use waystation_core::progress::Progress;

use crate::progress_keeper::ProgressKeeper;

/// At most one progress signal in this long.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// The reporter of one attempt.
pub struct AttemptReporter {
    /// The job.
    pub job_id: JobId,
    /// Its stage.
    pub stage: StageId,
    /// Which attempt.
    pub attempt: u32,
    /// Where signals go.
    pub bus: Arc<dyn Bus>,
    /// Keeps how far it is.
    pub progress: ProgressKeeper,
    /// Tells when.
    pub clock: Arc<dyn Clock>,
    /// What was said.
    pub said: Mutex<Said>,
}

/// What an attempt said so far.
#[derive(Default)]
pub struct Said {
    lines: Vec<LogLine>,
    cut: usize,
    progress_at: Option<Instant>,
}

impl AttemptReporter {
    /// Takes the lines, with a last one about those that were too many.
    pub fn take_log(&self) -> Vec<LogLine> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = std::mem::take(&mut said.lines);
        if said.cut > 0 {
            let line = format!("{} further lines were not kept (limit {LOG_LINES_MAX})", said.cut);
            lines.push(self.line(Level::Warn, line));
        }
        lines
    }

    fn line(&self, level: Level, line: String) -> LogLine {
        let stage = self.stage.clone();
        LogLine { at: self.clock.now(), stage, attempt: self.attempt, level, line }
    }
}

impl Reporter for AttemptReporter {
    fn progress(&self, percent: f64, message: &str) {
        // No share of the work, as where there is nothing to do: nought by nought.
        let percent = if percent.is_finite() { percent } else { 0.0 };
        let now = Instant::now();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = said.progress_at.is_some_and(|at| now - at < PROGRESS_INTERVAL);
        if recent && percent < 100.0 {
            return;
        }
        said.progress_at = Some(now);
        drop(said);
        let (percent, at) = (percent.clamp(0.0, 100.0), self.clock.now());
        let kept = Progress::new(percent, message, self.stage.clone(), self.attempt, at);
        self.progress.tell(&self.job_id, kept);
        self.bus.publish(Signal::Progress {
            job_id: self.job_id.clone(),
            stage: self.stage.clone(),
            percent,
            message: message.to_owned(),
        });
    }

    fn log(&self, level: Level, line: &str) {
        let mut line = line.to_owned();
        truncate(&mut line, LOG_LINE_BYTES_MAX);
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.lines.len() < LOG_LINES_MAX {
            let line = self.line(level, line.clone());
            said.lines.push(line);
        } else {
            said.cut += 1;
        }
        drop(said);
        let (job_id, stage) = (self.job_id.clone(), self.stage.clone());
        self.bus.publish(Signal::Log { job_id, stage, level, line });
    }
}
