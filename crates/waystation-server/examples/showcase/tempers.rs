//! Handlers of all tempers, by the types of stages.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::event::Level;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::pipeline::{Catalog, Executor, Stage, StageKind};
use waystation_core::source::{Discovery, Item, Source};

use crate::picture;

/// Handlers by the types of stages.
pub struct Tempers(BTreeMap<&'static str, Arc<dyn Handler>>);

impl Tempers {
    /// All of them. Pictures are put into this folder.
    pub fn new(folder: PathBuf) -> Self {
        let intake: Arc<dyn Handler> = Arc::new(Intake { folder, count: AtomicU64::new(0) });
        let rectify: Arc<dyn Handler> = Arc::new(Rectify(AtomicU64::new(0)));
        let others: [(_, Arc<dyn Handler>); 4] = [
            ("quick", Arc::new(Quick)),
            ("moody", Arc::new(Moody)),
            ("slow", Arc::new(Slow)),
            ("opener", Arc::new(Opener)),
        ];
        Self([("intake", intake), ("rectify", rectify)].into_iter().chain(others).collect())
    }
}

impl Catalog for Tempers {
    fn kind(&self, stage_type: &str) -> Option<StageKind> {
        match stage_type {
            "manual" => Some(StageKind::Manual),
            "remote" => Some(StageKind::Remote),
            "post_room" => Some(StageKind::Source),
            other => self.0.get(other).map(|_| StageKind::Worker),
        }
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().map(ToString::to_string).collect()
    }

    fn build(&self, stage: &Stage) -> Result<Executor, Vec<String>> {
        match self.0.get(&*stage.kind) {
            Some(handler) => Ok(Executor::Worker(Arc::clone(handler))),
            None => match &*stage.kind {
                "manual" => Ok(Executor::Manual),
                "remote" => Ok(Executor::Remote),
                "post_room" => Ok(Executor::Source(Arc::new(PostRoom))),
                other => Err(vec![format!("unknown type `{other}`")]),
            },
        }
    }
}

fn output(value: Value) -> Params {
    match value {
        Value::Object(params) => params,
        other => panic!("{other} is no object"),
    }
}

/// Takes a picture.
struct Intake {
    folder: PathBuf,
    count: AtomicU64,
}

#[async_trait]
impl Handler for Intake {
    async fn run(&self, context: Context, _: Params) -> Result<Completion, Failure> {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("photo-{count}.bmp"));
        std::fs::write(&path, picture::photo(count as u32))?;
        context.log(Level::Info, &format!("took {}", path.display()));
        Ok(Completion::ok(output(json!({ "path": path }))))
    }
}

/// Finds the page's corners, but for each third picture.
struct Rectify(AtomicU64);

#[async_trait]
impl Handler for Rectify {
    async fn run(&self, context: Context, _: Params) -> Result<Completion, Failure> {
        for step in 1..=5 {
            context.progress(f64::from(step) * 20.0, "looks for edges");
            tokio::time::sleep(Duration::from_millis(80)).await;
        }
        if self.0.fetch_add(1, Ordering::Relaxed) % 3 == 2 {
            context.log(Level::Warn, "no outline has four corners");
            return Ok(Completion::labelled("ko", output(json!({ "reason": "no corners" }))));
        }
        context.log(Level::Info, "found four corners");
        Ok(Completion::ok(output(json!({ "corners": picture::CORNERS }))))
    }
}

/// Does little.
struct Quick;

#[async_trait]
impl Handler for Quick {
    async fn run(&self, context: Context, _: Params) -> Result<Completion, Failure> {
        tokio::time::sleep(Duration::from_millis(15)).await;
        Ok(Completion::ok(output(json!({ format!("{}_by", context.stage): "showcase" }))))
    }
}

/// Fails now and then: for good each seventeenth time, for now each fifth.
struct Moody;

#[async_trait]
impl Handler for Moody {
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        let order = params.get("order").and_then(Value::as_u64).unwrap_or_default();
        context.log(Level::Info, &format!("books order {order}"));
        tokio::time::sleep(Duration::from_millis(40 + order * 37 % 400)).await;
        let is_fixed = params.get("fixed") == Some(&json!(true));
        if order % 17 == 3 && !is_fixed {
            let why = format!("customer of order {order} has no account");
            let mut failure = Failure::new(ErrorKind::Permanent, why);
            failure.causes.push("ledger said: 404 not found".to_owned());
            return Err(failure);
        }
        if order % 5 == 4 && context.attempt == 1 {
            return Err(Failure::transient("the ledger is busy"));
        }
        Ok(Completion::ok(output(json!({ "booked": true, "total": order * 3 }))))
    }
}

/// Takes its time.
struct Slow;

#[async_trait]
impl Handler for Slow {
    async fn run(&self, context: Context, _: Params) -> Result<Completion, Failure> {
        for step in 1..=1_200 {
            context.progress(f64::from(step) / 12.0, &format!("step {step} of 1200"));
            if step % 10 == 0 {
                context.log(
                    Level::Info,
                    &format!("step {step}: residual {:.4}", 1.0 / f64::from(step)),
                );
            }
            tokio::select! {
                () = context.cancellation.cancelled() => {
                    return Err(Failure::new(ErrorKind::Aborted, "told to stop"));
                }
                () = tokio::time::sleep(Duration::from_millis(250)) => {}
            }
        }
        Ok(Completion::ok(output(json!({ "residual": 0.0008 }))))
    }
}

/// Takes a letter apart.
struct Opener;

#[async_trait]
impl Handler for Opener {
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        let letter = params.get("letter").and_then(Value::as_u64).unwrap_or_default();
        let pages: Vec<_> = (1..=2 + letter % 3).map(|page| format!("{letter}/{page}")).collect();
        context.log(Level::Info, &format!("letter {letter} has {} pages", pages.len()));
        Ok(Completion::ok(output(json!({ "pages": pages }))))
    }
}

/// Finds a letter each time that somebody looks.
struct PostRoom;

#[async_trait]
impl Source for PostRoom {
    async fn discover(&self, checkpoint: Option<Value>) -> Result<Discovery, Failure> {
        let last = checkpoint.and_then(|known| known["letter"].as_u64()).unwrap_or_default();
        let letter = last + 1;
        let params = output(json!({ "letter": letter, "sender": "Ann" }));
        let items = vec![Item { id: format!("letter {letter}"), params }];
        Ok(Discovery {
            items,
            checkpoint: Some(json!({ "letter": letter })),
            ..Discovery::default()
        })
    }
}
