//! `waystation inbox`: the tasks that wait for a person.

use clap::Subcommand;
use serde_json::{Value, json};
use waystation::Client;
use waystation::core::contract::Contract;
use waystation::core::form::{FieldType, Form};
use waystation::core::id::PipelineName;
use waystation::core::job::{PAGE_MAX, TaskFilter, TaskRecord};
use waystation::engine::decide::Answer;

use super::exit::{Error, Outcome};
use super::input::Objects;
use super::session::{Global, Session, quoted};
use super::table::Table;
use super::{out, timing};

/// What can be done with tasks.
#[derive(Subcommand)]
pub enum Verb {
    /// List what waits, oldest first.
    List {
        /// Only of this pipeline
        #[arg(long)]
        pipeline: Option<PipelineName>,
    },
    /// Show a task and how to answer it.
    Show {
        /// The task's number
        id: i64,
    },
    /// Answer a task: its job goes on.
    Answer {
        /// The task's number
        id: i64,
        /// The form's fields: a JSON object, @FILE, or - for stdin
        #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
        answer: String,
        /// Who answers [default: $USER]
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
}

/// Does it.
pub async fn run(verb: Verb, global: &Global) -> Result<Outcome, Error> {
    let session = global.open_existing().await?;
    match verb {
        Verb::List { pipeline } => list(pipeline.as_ref(), &session, global).await,
        Verb::Show { id } => show(id, &session, global).await,
        Verb::Answer { id, answer, by } => {
            let fields = Objects::open("--answer", &answer)?.one()?;
            let by = by.or_else(|| std::env::var("USER").ok().filter(|name| !name.is_empty()));
            give(id, Answer { fields, by }, &session, global).await
        }
    }
}

async fn list(
    pipeline: Option<&PipelineName>,
    session: &Session,
    global: &Global,
) -> Result<Outcome, Error> {
    let filter = TaskFilter { pipeline: pipeline.cloned(), ..TaskFilter::first(PAGE_MAX) };
    let tasks = session.backend().store.tasks(filter).await?;
    if global.json {
        tasks.iter().for_each(out::json);
        return Ok(Outcome::Done);
    }
    let Some(first) = tasks.first() else {
        out::say("the inbox is empty");
        return Ok(Outcome::Done);
    };
    let now = session.backend().clock.now();
    let mut table = Table::new(["task", "stage", "pipeline", "waits", "job"]);
    for task in &tasks {
        table.row(vec![
            task.task_id.to_string().into(),
            task.stage.as_str().into(),
            task.pipeline.as_str().into(),
            timing::age(now, task.created_at).into(),
            task.job_id.as_str().into(),
        ]);
    }
    table.print();
    if tasks.len() == PAGE_MAX {
        out::say(format_args!("only the oldest {PAGE_MAX} are shown"));
    }
    let command = global.command(&format!("inbox show {}", first.task_id));
    out::hint(format_args!("`{command}` shows the first"));
    Ok(Outcome::Done)
}

async fn find(id: i64, session: &Session) -> Result<(TaskRecord, Contract, Client), Error> {
    let task = session.backend().store.task(id).await?;
    let task = task.ok_or_else(|| {
        Error::usage(format!("there is no task {id} in the inbox (it may have been answered)"))
    })?;
    let contract = Contract::parse(&task.body)
        .map_err(|error| Error::failed(format!("task {id} cannot be read: {error}")))?;
    Ok((task, contract, session.client()))
}

async fn show(id: i64, session: &Session, global: &Global) -> Result<Outcome, Error> {
    let (task, contract, client) = find(id, session).await?;
    let version = contract.pipeline_version;
    let graph = client.registry().graph_to_act_on(&task.pipeline, version).await?;
    let stage = graph.pipeline.stage(&task.stage);
    let form = stage.map(|stage| stage.form.clone()).unwrap_or_default();
    if global.json {
        out::json(&json!({ "task": task, "params": contract.params, "form": form }));
        return Ok(Outcome::Done);
    }
    let waits = timing::lasted(session.backend().clock.now().since(task.created_at));
    out::line(format_args!("task {id} at stage {} of {}", task.stage, task.pipeline));
    out::line(format_args!("job {} waits for {waits}", task.job_id));
    out::line("");
    out::line(out::paint("params", out::strong()));
    let pretty = serde_json::to_string_pretty(&contract.params).unwrap_or_default();
    for line in pretty.lines() {
        out::line(format_args!("  {}", out::clean(line)));
    }
    out::line("");
    out::line(out::paint("form", out::strong()));
    if form.fields.is_empty() {
        out::line("  no fields: the answer is {}");
    }
    let width = form.fields.iter().map(|field| field.name.chars().count()).max().unwrap_or(0);
    for field in &form.fields {
        let note = if field.optional { " (may be left out)" } else { "" };
        out::line(format_args!("  {:width$}  {}{note}", field.name, field.kind.as_str()));
    }
    out::line("");
    out::line(out::paint("answer", out::strong()));
    let words = format!("inbox answer {id} --answer {}", quoted(&sample(&form).to_string()));
    out::line(format_args!("  {}", global.command(&words)));
    Ok(Outcome::Done)
}

/// An answer that fits the form, to be changed by whoever pastes it.
fn sample(form: &Form) -> Value {
    let value = |kind| match kind {
        FieldType::String => json!("..."),
        FieldType::Number | FieldType::Integer => json!(0),
        FieldType::Boolean => json!(true),
        FieldType::Array => json!([]),
        FieldType::Object => json!({}),
    };
    let asked = form.fields.iter().filter(|field| !field.optional);
    Value::Object(asked.map(|field| (field.name.clone(), value(field.kind))).collect())
}

async fn give(
    id: i64,
    answer: Answer,
    session: &Session,
    global: &Global,
) -> Result<Outcome, Error> {
    let (_, _, client) = find(id, session).await?;
    let job_id = client.answer(id, answer).await.map_err(|error| {
        let refused = matches!(error, waystation::engine::AnswerError::Refused { .. });
        let error = Error::from(error);
        if refused {
            let command = global.command(&format!("inbox show {id}"));
            return error.with(&format!(" (hint: `{command}`)"));
        }
        error
    })?;
    let job = super::jobs::find(session.backend(), &job_id).await?;
    if global.json {
        out::json(&json!({ "task_id": id, "job": job }));
    } else {
        let state = out::paint(job.state.as_str(), out::style_of(job.state));
        out::line(format_args!("job {job_id} goes on: {state} at stage {}", job.stage));
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use waystation::core::form::Field;

    #[test]
    fn sample_fits_its_form() {
        let types = ["string", "number", "integer", "boolean", "array", "object", "object?"];
        let fields = types.iter().enumerate();
        let fields = fields.map(|(index, kind)| Field::parse(&format!("f{index}"), kind));
        let form = Form { fields: fields.collect::<Result<_, _>>().expect("types") };
        let Value::Object(answer) = sample(&form) else { panic!("an object is due") };
        assert_eq!(form.check(&answer), Vec::<String>::new());
    }
}
