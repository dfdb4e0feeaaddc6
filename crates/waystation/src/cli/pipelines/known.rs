//! The pipelines that a store knows.

use std::path::Path;

use waystation::server::wire::{PipelineDetail, PipelineRoute, PipelineSummary};

use crate::cli::exit::{Error, Outcome};
use crate::cli::session::Global;
use crate::cli::site::Query;
use crate::cli::table::{Cell, Table};
use crate::cli::{out, submit, words};

/// Lists them.
pub async fn list(global: &Global) -> Result<Outcome, Error> {
    let site = global.site().await?;
    let pipelines: Vec<PipelineSummary> = site.get(&["pipelines"], &Query::default()).await?;
    if global.json {
        pipelines.iter().for_each(out::json);
        return Ok(Outcome::Done);
    }
    if pipelines.is_empty() {
        out::say("no pipelines (hint: `pipelines put FILE` puts one)");
        return Ok(Outcome::Done);
    }
    let mut table = Table::new(["pipeline", "version", "stages", "jobs", "paused", ""]);
    for pipeline in &pipelines {
        let told = pipeline.problem.as_ref().or(pipeline.description.as_ref());
        table.row(vec![
            pipeline.name.as_str().into(),
            pipeline.version.to_string().into(),
            pipeline.stages.len().to_string().into(),
            pipeline.jobs.values().sum::<u64>().to_string().into(),
            words::pauses(&pipeline.pauses).into(),
            Cell::faint(out::short(told.map_or("", String::as_str), 80)),
        ]);
    }
    table.print();
    Ok(Outcome::Done)
}

/// Shows one.
pub async fn show(name: &str, version: Option<u32>, global: &Global) -> Result<Outcome, Error> {
    let site = global.site().await?;
    let query = Query::default().with("version", version);
    let pipeline: PipelineDetail = site.get(&["pipelines", name], &query).await?;
    if global.json {
        out::json(&pipeline);
        return Ok(Outcome::Done);
    }
    let PipelineDetail { version, newest_version, .. } = pipeline;
    let newest = if version == newest_version { "the newest" } else { "an earlier one" };
    out::line(out::clean(&format!("{} version {version}, {newest}", pipeline.name)));
    if let Some(description) = &pipeline.description {
        out::line(out::clean(description));
    }
    let live: Vec<_> = pipeline.live_versions.iter().map(u32::to_string).collect();
    if !live.is_empty() {
        out::line(format_args!("jobs that have not ended are of version {}", live.join(", ")));
    }
    let mut table = Table::new(["stage", "type", "kind", "leads to"]);
    for stage in &pipeline.stages {
        let routes = pipeline.routes.iter().filter(|route| route.from == stage.id);
        let leads: Vec<_> = routes.map(leads_to).collect();
        table.row(vec![
            stage.id.as_str().into(),
            Cell::faint(out::clean(&stage.stage_type)),
            stage.kind.as_str().into(),
            leads.join(", ").into(),
        ]);
    }
    table.print();
    out::line("");
    for line in pipeline.source.lines() {
        out::line(out::clean(line));
    }
    Ok(Outcome::Done)
}

fn leads_to(route: &PipelineRoute) -> String {
    let to = route.to.join(" + ");
    let on = route.on.as_ref().map(|label| format!(" on {label}"));
    let when = route.when.as_ref().map(|condition| format!(" when {condition}"));
    format!("{to}{}{}", on.unwrap_or_default(), when.unwrap_or_default())
}

/// Puts a file's text.
pub async fn put(file: &Path, global: &Global) -> Result<Outcome, Error> {
    let (_, put) = submit::put(file, global).await?;
    if global.json {
        out::json(&put);
    } else {
        let new = if put.is_new { "is put: new jobs are of it" } else { "was there already" };
        out::line(out::clean(&format!("{} version {} {new}", put.name, put.version)));
    }
    Ok(Outcome::Done)
}
