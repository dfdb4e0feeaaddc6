//! What is to be seen while a pipeline runs: where its jobs stand, stage by stage.
//!
//! On a terminal each stage has a bar: its share of the jobs of this run. Elsewhere there is a
//! line when something changed, once a second at most.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Write;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::io::IsTerminal;
use waystation::core::id::{PipelineName, StageId};
use waystation::core::job::Count;
use waystation::core::pipeline::StageKind;
use waystation::core::port;
use waystation::core::state::JobState;
use waystation::{Backend, Definition};

use super::out;
use super::session::Global;

/// The shortest time between two looks, for bars and for lines.
const BARS_GAP: Duration = Duration::from_millis(100);
const LINES_GAP: Duration = Duration::from_secs(1);
/// The longest, in case that a signal was lost.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Looking may take this share of the time at most: one part in so many.
const LOOK_SHARE: u32 = 10;

/// Shows how a pipeline gets on.
pub struct Progress {
    backend: Backend,
    pipeline: PipelineName,
    stages: Vec<StageId>,
    /// What had ended before.
    base: Vec<Count>,
    face: Face,
}

enum Face {
    Bars(Bars),
    Lines { last: String },
    Json { last: Vec<Count> },
    Hidden,
}

struct Bars {
    all: ProgressBar,
    stages: HashMap<StageId, ProgressBar>,
    name_width: usize,
}

/// Where the jobs of this run stand.
#[derive(Debug, PartialEq, Eq)]
struct View {
    ended: u64,
    all: u64,
    stages: Vec<(StageId, u64, String)>,
}

impl Progress {
    /// Takes note of what has ended already.
    pub async fn new(
        backend: &Backend,
        definition: &Definition,
        global: &Global,
    ) -> Result<Self, port::Error> {
        let pipeline = definition.pipeline.name.clone();
        let stages: Vec<StageId> = definition
            .pipeline
            .stages
            .iter()
            .map(|stage| stage.id.clone())
            .filter(|id| definition.kind(id) != Some(StageKind::Source))
            .collect();
        let mut base = backend.store.counts(Some(&pipeline)).await?;
        base.retain(|count| count.state.is_terminal());
        let face = if global.json {
            Face::Json { last: Vec::new() }
        } else if global.quiet {
            Face::Hidden
        } else if std::io::stderr().is_terminal() {
            Face::Bars(Bars::new(&stages))
        } else {
            Face::Lines { last: String::new() }
        };
        Ok(Self { backend: backend.clone(), pipeline, stages, base, face })
    }

    /// Shows every change, for as long as it is asked to.
    pub async fn follow(&mut self) -> Infallible {
        loop {
            // A new one each time: what happened while nobody looked is seen by the next look.
            let mut signals = self.backend.bus.subscribe();
            let began = Instant::now();
            self.look().await;
            let gap = if matches!(self.face, Face::Bars(_)) { BARS_GAP } else { LINES_GAP };
            tokio::time::sleep(gap.max(began.elapsed() * LOOK_SHARE)).await;
            let _ = tokio::time::timeout(LOOK_AGAIN, signals.next()).await;
        }
    }

    /// Shows the end and clears the bars.
    pub async fn finish(&mut self) {
        match &self.face {
            Face::Bars(bars) => bars.clear(),
            Face::Lines { .. } | Face::Json { .. } => self.look().await,
            Face::Hidden => {}
        }
    }

    async fn look(&mut self) {
        let counts = match self.backend.store.counts(Some(&self.pipeline)).await {
            Ok(counts) => counts,
            // The engine meets the same trouble and says so.
            Err(error) => return tracing::debug!(%error, "no counts"),
        };
        let view = View::new(&self.stages, &self.base, &counts);
        match &mut self.face {
            Face::Bars(bars) => bars.show(&view),
            Face::Lines { last } => {
                let line = view.line();
                if line != *last {
                    out::say(&line);
                    *last = line;
                }
            }
            Face::Json { last } => {
                if counts != *last {
                    out::json(&json!({ "ended": view.ended, "jobs": view.all, "counts": counts }));
                    *last = counts;
                }
            }
            Face::Hidden => {}
        }
    }
}

impl View {
    fn new(stages: &[StageId], base: &[Count], counts: &[Count]) -> Self {
        let since = |count: &Count| {
            let same = |old: &&Count| old.stage == count.stage && old.state == count.state;
            count.jobs.saturating_sub(base.iter().find(same).map_or(0, |old| old.jobs))
        };
        let mut stages = stages.to_vec();
        for count in counts {
            if !stages.contains(&count.stage) {
                stages.push(count.stage.clone());
            }
        }
        let mut view = Self { ended: 0, all: 0, stages: Vec::new() };
        for stage in stages {
            let mut here = 0;
            let mut words = Vec::new();
            for state in JobState::ALL {
                let at = counts.iter().filter(|c| c.stage == stage && c.state == state);
                let jobs: u64 = at.map(since).sum();
                here += jobs;
                if jobs > 0 {
                    words.push(format!("{jobs} {state}"));
                }
                if state.is_terminal() {
                    view.ended += jobs;
                }
            }
            view.all += here;
            view.stages.push((stage, here, words.join(", ")));
        }
        view
    }

    fn line(&self) -> String {
        if self.all == 0 {
            return "no jobs yet".to_owned();
        }
        let mut line =
            format!("{} of {} ended", self.ended, out::counted(self.all as usize, "job"));
        for (stage, _, words) in self.stages.iter().filter(|(_, here, _)| *here > 0) {
            // Writing into a text cannot fail.
            let _ = write!(line, "; {stage}: {words}");
        }
        line
    }
}

impl Bars {
    fn new(stages: &[StageId]) -> Self {
        out::BARS.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let name_width = stages.iter().map(|id| id.as_str().chars().count()).max().unwrap_or(0);
        let name_width = name_width.clamp(4, 24);
        let all = out::BARS.add(ProgressBar::new(0));
        all.set_style(style("{prefix:.bold} {bar:30.green/dim} {msg} {elapsed:.dim}"));
        all.set_prefix(format!("{:name_width$}", "jobs"));
        all.enable_steady_tick(Duration::from_millis(500));
        let mut bars = Self { all, stages: HashMap::new(), name_width };
        for stage in stages {
            bars.add(stage);
        }
        bars
    }

    fn add(&mut self, stage: &StageId) {
        let bar = out::BARS.add(ProgressBar::new(0));
        bar.set_style(style("{prefix} {bar:30.cyan/dim} {msg}"));
        let width = self.name_width;
        bar.set_prefix(format!("{:width$}", out::short(stage.as_str(), width)));
        bar.tick();
        self.stages.insert(stage.clone(), bar);
    }

    fn show(&mut self, view: &View) {
        self.all.set_length(view.all);
        self.all.set_position(view.ended);
        self.all.set_message(format!("{} of {} ended", view.ended, view.all));
        for (stage, here, words) in &view.stages {
            if !self.stages.contains_key(stage) {
                self.add(stage);
            }
            if let Some(bar) = self.stages.get(stage) {
                bar.set_length(view.all);
                bar.set_position(*here);
                bar.set_message(words.clone());
            }
        }
    }

    fn clear(&self) {
        for bar in self.stages.values() {
            bar.finish_and_clear();
        }
        self.all.finish_and_clear();
        // Clearing may fail with the terminal gone; then there is nothing to clear.
        let _ = out::BARS.clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants; a wrong one is seen at once.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━━ ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(stage: &str, state: JobState, jobs: u64) -> Count {
        Count { pipeline: "photos".into(), stage: stage.into(), state, jobs }
    }

    #[test]
    fn what_had_ended_before_is_not_counted() {
        let base = [count("b", JobState::Completed, 10)];
        let counts = [
            count("a", JobState::Queued, 3),
            count("b", JobState::Completed, 12),
            count("b", JobState::Failed, 1),
            count("old", JobState::Running, 1),
        ];
        let view = View::new(&["a".into(), "b".into()], &base, &counts);
        assert_eq!((view.ended, view.all), (3, 7));
        assert_eq!(
            view.line(),
            "3 of 7 jobs ended; a: 3 queued; b: 2 completed, 1 failed; old: 1 running"
        );
    }
}
