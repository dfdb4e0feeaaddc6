//! `waystation pause`, `resume`, `drain` and `pauses`: what is to begin nothing for now.

use serde_json::json;
use waystation::server::wire::{Pause, PauseRequest, Resumed};

use super::exit::{Error, Outcome};
use super::session::Global;
use super::site::{Query, Refusal, Site};
use super::table::{Cell, Table};
use super::{out, timing, words};

/// What to pause.
#[derive(clap::Args)]
pub struct Pausing {
    /// PIPELINE, PIPELINE/STAGE, or queue:NAME
    target: Target,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// What to drain.
#[derive(clap::Args)]
pub struct Draining {
    /// The pipeline
    pipeline: String,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// What to resume.
#[derive(clap::Args)]
pub struct Resuming {
    /// PIPELINE, PIPELINE/STAGE, or queue:NAME
    target: Target,
}

/// What can be paused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A pipeline, with its sources.
    Pipeline(String),
    /// A stage, in all versions of its pipeline.
    Stage(String, String),
    /// A queue, whoever reads it.
    Queue(String),
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let target = match (text.strip_prefix("queue:"), text.split_once('/')) {
            (Some(queue), _) => Self::Queue(queue.to_owned()),
            (None, Some((pipeline, stage))) => Self::Stage(pipeline.to_owned(), stage.to_owned()),
            (None, None) => Self::Pipeline(text.to_owned()),
        };
        if target.parts().contains(&"") {
            return Err("PIPELINE, PIPELINE/STAGE or queue:NAME is due".to_owned());
        }
        Ok(target)
    }
}

impl Target {
    /// The path of it.
    fn parts(&self) -> Vec<&str> {
        match self {
            Self::Pipeline(pipeline) => vec!["pipelines", pipeline],
            Self::Stage(pipeline, stage) => vec!["pipelines", pipeline, "stages", stage],
            Self::Queue(queue) => vec!["queues", queue],
        }
    }

    /// What it is called.
    pub fn words(&self) -> String {
        match self {
            Self::Pipeline(pipeline) => format!("pipeline {pipeline}"),
            Self::Stage(pipeline, stage) => format!("stage {stage} of {pipeline}"),
            Self::Queue(queue) => format!("queue {queue}"),
        }
    }

    /// Does this to it.
    async fn act<T: serde::de::DeserializeOwned>(
        &self,
        act: &str,
        body: &impl serde::Serialize,
        site: &Site,
    ) -> Result<T, Refusal> {
        let mut parts = self.parts();
        parts.push(act);
        site.post(&parts, body).await
    }

    /// Pauses it.
    pub async fn pause(&self, reason: &str, site: &Site) -> Result<Pause, Refusal> {
        self.act("pause", &PauseRequest { reason: reason.to_owned() }, site).await
    }

    /// Resumes it. Tells whether it was paused or drained.
    pub async fn resume(&self, site: &Site) -> Result<bool, Refusal> {
        let Resumed { was_paused } = self.act("resume", &json!({}), site).await?;
        Ok(was_paused)
    }
}

/// Pauses something.
pub async fn pause(arguments: Pausing, global: &Global) -> Result<Outcome, Error> {
    let Pausing { target, reason } = arguments;
    let pause = target.pause(&reason, &global.site().await?).await?;
    if global.json {
        out::json(&pause);
    } else {
        let text = "is paused: nothing new begins there, what runs goes on";
        out::line(out::clean(&format!("{} {text}", target.words())));
    }
    Ok(Outcome::Done)
}

/// Drains a pipeline.
pub async fn drain(arguments: Draining, global: &Global) -> Result<Outcome, Error> {
    let Draining { pipeline, reason } = arguments;
    let target = Target::Pipeline(pipeline);
    let request = PauseRequest { reason };
    let pause: Pause = target.act("drain", &request, &global.site().await?).await?;
    if global.json {
        out::json(&pause);
    } else {
        let text = "is drained: it takes nothing new, and what is there runs to its end";
        out::line(out::clean(&format!("{} {text}", target.words())));
    }
    Ok(Outcome::Done)
}

/// Resumes something.
pub async fn resume(arguments: Resuming, global: &Global) -> Result<Outcome, Error> {
    let Resuming { target } = arguments;
    let was_paused = target.resume(&global.site().await?).await?;
    if global.json {
        out::json(&Resumed { was_paused });
    } else {
        let text = if was_paused { "goes on" } else { "was not paused" };
        out::line(out::clean(&format!("{} {text}", target.words())));
    }
    Ok(Outcome::Done)
}

/// Lists what is paused or drained.
pub async fn list(global: &Global) -> Result<Outcome, Error> {
    let site = global.site().await?;
    let pauses: Vec<Pause> = site.get(&["pauses"], &Query::default()).await?;
    if global.json {
        pauses.iter().for_each(out::json);
        return Ok(Outcome::Done);
    }
    let Some(first) = pauses.first() else {
        out::say("nothing is paused");
        return Ok(Outcome::Done);
    };
    let mut table = Table::new(["what", "how", "by", "since", "why"]);
    for pause in &pauses {
        table.row(vec![
            words::target(pause).into(),
            words::mode(pause).into(),
            pause.by.as_str().into(),
            timing::age(timing::now(), pause.at.0).into(),
            Cell::faint(out::short(&pause.reason, 80)),
        ]);
    }
    table.print();
    let command = global.command(&format!("resume {}", words::target(first)));
    out::hint(format_args!("`{command}` lets the first go on"));
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_written_as_they_are_listed() {
        for (text, expected) in [
            ("scans", Some(vec!["pipelines", "scans"])),
            ("scans/read", Some(vec!["pipelines", "scans", "stages", "read"])),
            ("queue:scans.read", Some(vec!["queues", "scans.read"])),
            ("queue:", None),
            ("scans/", None),
            ("", None),
        ] {
            let target = text.parse::<Target>();
            assert_eq!(target.as_ref().ok().map(Target::parts), expected, "{text}");
        }
    }
}
