//! `waystation pipelines`: check, draw and convert pipeline files, for which no store is needed;
//! see and put those of a store.

mod convert;
mod known;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;
use waystation::Executors;
use waystation::core::pipeline::{Pipeline, Problems, Target};

use super::exit::{Error, Outcome};
use super::out;
use super::session::{Global, read_pipeline};
use super::table::{Cell, Table};

/// What can be done with pipeline files.
#[derive(Subcommand)]
pub enum Verb {
    /// Check a pipeline file: every problem at once.
    Check {
        /// The pipeline file
        file: PathBuf,
    },
    /// List the pipelines that the store knows.
    List,
    /// Show a pipeline of the store: its stages and routes, and its text without secrets.
    Show {
        /// The pipeline
        name: String,
        /// Which version [default: the newest]
        #[arg(long, value_name = "N")]
        version: Option<u32>,
    },
    /// Put a pipeline file into the store: new jobs are of it, those that are there stay on theirs.
    Put {
        /// The pipeline file
        file: PathBuf,
    },
    /// Write a pipeline file of ContentFlow in our form, to stdout; exit code 1 where something of
    /// it has no counterpart here.
    Convert {
        /// Their pipeline file
        file: PathBuf,
        /// Write here instead
        #[arg(short, long, value_name = "OUT.yaml")]
        output: Option<PathBuf>,
        /// Which pipeline, of a file with several
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Draw a pipeline file, as Mermaid text to stdout.
    Graph {
        /// The pipeline file
        file: PathBuf,
        /// Write an SVG picture here instead
        #[arg(long, value_name = "OUT.svg")]
        svg: Option<PathBuf>,
    },
}

/// Does it.
pub async fn run(verb: Verb, global: &Global) -> Result<Outcome, Error> {
    match verb {
        Verb::Check { file } => check(&file, global),
        Verb::List => known::list(global).await,
        Verb::Show { name, version } => known::show(&name, version, global).await,
        Verb::Put { file } => known::put(&file, global).await,
        Verb::Convert { file, output, name } => {
            convert::run(&file, output.as_deref(), name.as_deref(), global)
        }
        Verb::Graph { file, svg } => graph(&file, svg.as_deref(), global),
    }
}

fn load(file: &Path, global: &Global) -> Result<Result<Pipeline, Problems>, Error> {
    let text = read_pipeline(file)?;
    let origin = file.display().to_string();
    let environment = global.environment();
    Ok(Pipeline::load(&origin, &text, &*environment, &Executors::standard()))
}

fn check(file: &Path, global: &Global) -> Result<Outcome, Error> {
    let pipeline = match load(file, global)? {
        Ok(pipeline) => pipeline,
        Err(problems) => {
            if global.json {
                out::json(&problems_as_json(&problems));
            }
            return Err(problems.into());
        }
    };
    let entry = pipeline.default_entry(&Executors::standard());
    let brought = brought(&pipeline);
    let stages: Vec<_> = pipeline.stages.iter().map(|stage| stage.id.as_str()).collect();
    if global.json {
        out::json(&json!({
            "ok": true, "pipeline": pipeline.name, "stages": stages,
            "routes": pipeline.routes.len(), "entry": entry.ok(), "brought": brought,
        }));
        return Ok(Outcome::Done);
    }
    let stages = out::counted(stages.len(), "stage");
    let routes = out::counted(pipeline.routes.len(), "route");
    let entry = match entry {
        Ok(entry) => format!("jobs start at {entry}"),
        Err(error) => error.to_string(),
    };
    out::line(format_args!("{}: good: {stages}, {routes}, {entry}", pipeline.name));
    let mut table = Table::new(["stage", "type", "leads to"]);
    for stage in &pipeline.stages {
        let leads: Vec<_> = pipeline.routes_from(&stage.id).map(|r| r.to.describe()).collect();
        let leads = if leads.is_empty() { Target::DONE.to_owned() } else { leads.join(", ") };
        table.row(vec![stage.id.as_str().into(), Cell::faint(&*stage.kind), leads.into()]);
    }
    table.print();
    if !brought.is_empty() {
        out::say(format_args!("jobs must bring: {}", brought.join(", ")));
    }
    Ok(Outcome::Done)
}

/// The params that stages require and none before them gives.
fn brought(pipeline: &Pipeline) -> Vec<String> {
    let lacks = pipeline.lacks(&Executors::standard()).into_iter();
    let names: BTreeSet<String> = lacks.map(|lack| lack.param).collect();
    names.into_iter().collect()
}

fn problems_as_json(problems: &Problems) -> serde_json::Value {
    let list = problems.list.iter().map(|problem| {
        let position = problem.position;
        json!({
            "file": problems.origin, "line": position.map(|at| at.line),
            "column": position.map(|at| at.column), "message": problem.message,
            "hint": problem.hint,
        })
    });
    json!({ "ok": false, "problems": list.collect::<Vec<_>>() })
}

fn graph(file: &Path, svg: Option<&Path>, global: &Global) -> Result<Outcome, Error> {
    let pipeline = load(file, global)??;
    let catalog = Executors::standard();
    let mermaid = || pipeline.to_mermaid(&catalog);
    let Some(path) = svg else {
        if global.json {
            out::json(&json!({ "mermaid": mermaid() }));
        } else {
            out::line(mermaid().trim_end());
        }
        return Ok(Outcome::Done);
    };
    std::fs::write(path, pipeline.to_svg(&catalog))
        .map_err(|error| Error::failed(format!("cannot write {}: {error}", path.display())))?;
    if global.json {
        out::json(&json!({ "svg": path }));
    } else {
        out::say(format_args!("wrote {}", path.display()));
    }
    Ok(Outcome::Done)
}
