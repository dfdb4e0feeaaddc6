//! The inbox: what waits for a person, one task open beside the list.

mod acts;
mod query;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use maud::{Markup, html};

use self::query::{Filter, Inbox, Opened};
use super::page::{Page, Place};
use super::parts::form::Texts;
use super::parts::preview::{Kind, Preview};
use super::parts::words::sentence;
use super::parts::{form, moment, preview, value};
use super::refused::Refused;
use super::visit::Visit;
use super::{flash, href, jobs};
use crate::context::Context;
use crate::extract::{Path, Query};
use crate::live::Topic;

/// The routes.
pub fn routes() -> Router<Context> {
    Router::new()
        .route("/inbox", get(show))
        .route("/inbox/{task_id}", get(open).post(acts::answer))
        .route("/inbox/{task_id}/hold", post(acts::hold))
}

/// Opens the first task that is free.
async fn show(
    State(context): State<Context>,
    Query(pairs): Query<Vec<(String, String)>>,
    visit: Visit,
) -> Result<Response, Refused> {
    let filter = Filter::read(&pairs);
    let inbox = query::list(&context, filter, &visit.identity.name).await?;
    let person = Some(&*visit.identity.name);
    let free = inbox.tasks.iter().find(|task| {
        let holder = task.holder(inbox.now);
        holder.is_none() || holder == person
    });
    let opened = match free {
        Some(task) => query::open(&context, task.task_id).await?,
        None => None,
    };
    let Some(opened) = opened else {
        let page = frame(&visit, &inbox, None).live("task", "card task", || nothing(&inbox));
        return Ok(page.respond());
    };
    let texts = texts(&opened);
    Ok(panel_page(&visit, &inbox, &opened, &texts, &[]).respond())
}

async fn open(
    State(context): State<Context>,
    Path(task_id): Path<i64>,
    Query(pairs): Query<Vec<(String, String)>>,
    visit: Visit,
) -> Result<Response, Refused> {
    let filter = Filter::read(&pairs);
    let Some(opened) = query::open(&context, task_id).await? else {
        let to = format!("/inbox{}", filter.query());
        if visit.wanted.is_none() {
            return Ok(flash::failed(&to, format!("task {task_id} was answered already")));
        }
        let inbox = query::list(&context, filter, &visit.identity.name).await?;
        let page = frame(&visit, &inbox, Some(task_id)).live("standing", "standing", || html! {
            p.flash.bad { "This task was answered meanwhile. " a href=(to) data-key="j" { "Next" } }
        });
        return Ok(page.respond());
    };
    let inbox = query::list(&context, filter, &visit.identity.name).await?;
    let texts = texts(&opened);
    Ok(panel_page(&visit, &inbox, &opened, &texts, &[]).respond())
}

/// What stands in the fields at first.
fn texts(opened: &Opened) -> Texts {
    opened.form.as_ref().map(|form| form::filled(form, &opened.params)).unwrap_or_default()
}

/// A task's page.
fn task_address(task_id: i64, filter: &Filter) -> String {
    format!("{}{}", href::task(task_id), filter.query())
}

fn frame<'a>(visit: &'a Visit, inbox: &Inbox, open: Option<i64>) -> Page<'a> {
    Page::new(visit, Place::Inbox, "Inbox")
        .follow(&Topic::All)
        .script("corners.js")
        .head(keys())
        .live("tasks", "card tasks", || list(inbox, open))
}

/// The page with a task open.
fn panel_page<'a>(
    visit: &'a Visit,
    inbox: &Inbox,
    opened: &Opened,
    texts: &Texts,
    problems: &[String],
) -> Page<'a> {
    let task_id = opened.task.task_id;
    frame(visit, inbox, Some(task_id))
        .live("standing", "standing", || standing(visit, inbox, opened))
        .with(panel(visit, inbox, opened, texts, problems))
}

fn list(inbox: &Inbox, open: Option<i64>) -> Markup {
    let at = |whose: &str| Filter { whose: whose.to_owned(), ..inbox.filter.clone() }.query();
    html! {
        h2.hidden { "Tasks" }
        ul.chips {
            @for (whose, word) in [("", "all"), ("free", "free or mine"), ("mine", "mine")] {
                @let current = (inbox.filter.whose == whose).then_some("true");
                li { a.chip href={ "/inbox" (at(whose)) } aria-current=[current] { (word) } }
            }
        }
        @if !inbox.filter.pipeline.is_empty() || !inbox.filter.stage.is_empty() {
            @let everything = Filter { whose: inbox.filter.whose.clone(), ..Filter::default() };
            p.note { (inbox.filter.pipeline) " · " (inbox.filter.stage) " "
                a href={ "/inbox" (everything.query()) } { "show all" } }
        }
        @if inbox.tasks.is_empty() { p.empty { @match &*inbox.filter.whose {
            "" => "Nothing waits for a person.",
            "mine" => "You hold no task.",
            _ => "No task is free.",
        } } }
        ol.list { @for task in &inbox.tasks {
            @let current = (open == Some(task.task_id)).then_some("true");
            li #{ "task-" (task.task_id) } {
                a href=(task_address(task.task_id, &inbox.filter)) aria-current=[current] {
                    (task.stage) span.faint { " " (task.pipeline) }
                }
                span.end { (moment::age(task.created_at, inbox.now)) }
                @if let Some(holder) = task.holder(inbox.now) { p.more { "held by " (holder) } }
                @if let Some(due) = task.due_at {
                    p.more.text-failed[due < inbox.now] { "due " (moment::ago(due, inbox.now)) }
                }
            }
        } }
        @if inbox.is_cut { p.faint { "…and more, newer ones" } }
    }
}

fn nothing(inbox: &Inbox) -> Markup {
    html! {
        div.empty {
            p { @if !inbox.filter.query().is_empty() { "No task is like that." }
                @else if inbox.tasks.is_empty() { "Nothing waits for a person." }
                @else { "Everything that waits is held by others." } }
            p.faint { "The next task opens here by itself. Tasks come from stages of the type "
                code { "manual" } "." }
        }
    }
}

/// Whose the task is, which may change while it is open.
fn standing(visit: &Visit, inbox: &Inbox, opened: &Opened) -> Markup {
    let task = &opened.task;
    let act = |act: &str, word: &str| {
        html! {
            form method="post"
            action={ (href::task(task.task_id)) "/hold" (inbox.filter.query()) } {
                button.small.quiet name="act" value=(act) data-key="c" { (word) kbd { "c" } }
            }
        }
    };
    let holder = task.holder(inbox.now);
    let is_mine = holder == Some(&*visit.identity.name);
    html! {
        p { b { (task.stage) }
            " of job " a.id href=(href::job(&task.job_id)) { (jobs::short(task.job_id.as_str())) }
            span.faint { ", waits for " (moment::age(task.created_at, inbox.now)) }
        }
        @match holder {
            Some(_) if is_mine => span.badge.waiting { "yours" },
            Some(holder) => span.badge.retrying { "held by " (holder) },
            None => {},
        }
        @if visit.may_act() {
            @if is_mine { (act("release", "Release")) }
            @else if holder.is_none() { (act("claim", "Claim")) }
        }
    }
}

fn panel(
    visit: &Visit,
    inbox: &Inbox,
    opened: &Opened,
    texts: &Texts,
    problems: &[String],
) -> Markup {
    let task_id = opened.task.task_id;
    let place = inbox.tasks.iter().position(|task| task.task_id == task_id);
    let beside = |step: isize| {
        let index = place?.checked_add_signed(step)?;
        Some(task_address(inbox.tasks.get(index)?.task_id, &inbox.filter))
    };
    html! {
        article.card.task data-task=(task_id) {
            nav.steps aria-label="Tasks before and after" {
                @if let Some(to) = beside(-1) {
                    a rel="prev" href=(to) data-key="k" { "Previous" kbd { "k" } }
                }
                @if let Some(to) = beside(1) {
                    a rel="next" href=(to) data-key="j" { "Next" kbd { "j" } }
                }
            }
            (pictures(opened))
            @if !problems.is_empty() {
                div.flash.bad role="alert" {
                    ul { @for problem in problems { li { (sentence(problem)) } } }
                }
            }
            @match &opened.form {
                Err(why) => p.flash.bad { "The form is not known: " (sentence(why)) },
                Ok(_) if !visit.may_act() => p.faint { "You may look, and not answer." },
                Ok(_) if is_of_another(visit, inbox, opened) => p.note {
                    "Whoever holds this task answers it. "
                    a href=(task_address(task_id, &inbox.filter)) { "Look again" }
                    " whether it is free."
                },
                Ok(form) => form.answer method="post"
                    action=(task_address(task_id, &inbox.filter)) {
                    (form::fields(form, texts))
                    div.buttons { button.primary data-key="a" { "Answer" kbd { "a" } } }
                },
            }
            details.params open { summary { "Params" } (value::params(&opened.params)) }
        }
    }
}

fn is_of_another(visit: &Visit, inbox: &Inbox, opened: &Opened) -> bool {
    opened.task.holder(inbox.now).is_some_and(|holder| holder != visit.identity.name)
}

/// What there is to look at: the picture with corners to drag, where they are asked for.
fn pictures(opened: &Opened) -> Markup {
    let found = preview::found(&opened.params);
    let asks = opened.form.as_ref().is_ok_and(|form| form.fields.iter().any(form::holds_corners));
    let photo = found.iter().find(|one| one.kind == Kind::Picture).filter(|_| asks);
    html! {
        @if let Some(photo) = photo { (corners(photo)) }
        div.previews { @for one in found.iter().filter(|one| Some(*one) != photo) {
            (preview::show(one))
        } }
    }
}

fn corners(photo: &Preview) -> Markup {
    html! {
        figure.corners data-corners data-keep {
            figcaption {
                span.js-only { "Drag the four corners, or choose one and use the arrow keys" }
                span.scriptless { "Write the four corners below, in pixels of the picture" }
            }
            div.stage { img src=(photo.address) alt={ "What param " (photo.name) " refers to" }; }
        }
    }
}

/// What the keys do.
fn keys() -> Markup {
    let keys = [
        ("j", "the next task"),
        ("k", "the task before"),
        ("y n", "yes, no"),
        ("a", "answer"),
        ("c", "claim or release"),
        ("?", "this help"),
    ];
    html! {
        button.quiet.small.js-only type="button" data-key="?" data-opens="keys" {
            "Keys" kbd { "?" }
        }
        dialog #keys {
            h2 { "Keys" }
            dl { @for (key, act) in keys { div { dt { kbd { (key) } } dd { (act) } } } }
            form method="dialog" { button autofocus { "Close" } }
        }
    }
}
