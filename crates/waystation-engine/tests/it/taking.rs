//! Sources that take from somebody who forgets: what they are told of is durable, and what can be
//! no job lies with the dead letters.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use waystation_core::clock::SystemClock;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::job::{DeadLetterFilter, JobFilter, PAGE_MAX, TaskFilter};
use waystation_core::pipeline::{Catalog, Executor, Stage, StageKind};
use waystation_core::port::Store;
use waystation_core::source::{Discovery, Item, Letter, Source};
use waystation_core::state::JobState;
use waystation_engine::{Backend, Engine, Options, Registry, Sources};
use waystation_memory::Memory;

/// Has messages until it is told that they are stored.
struct Mailbox {
    store: Arc<dyn Store>,
    messages: Mutex<BTreeSet<String>>,
    /// How many jobs there were whenever it was told.
    told: Mutex<Vec<usize>>,
    /// Whether it is told at all; a process that dies after its commit tells nothing.
    dies: bool,
    rests: Mutex<usize>,
}

fn item(id: &str) -> Item {
    let params = json!({ "id": id }).as_object().cloned().unwrap_or_default();
    Item { id: id.to_owned(), params }
}

#[async_trait]
impl Source for Mailbox {
    async fn discover(&self, _: Option<Value>) -> Result<Discovery, Failure> {
        let messages = self.messages.lock().expect("sound").clone();
        let (bad, good): (Vec<String>, _) =
            messages.into_iter().partition(|id| id.starts_with("bad"));
        let letter = |id: &String| Letter {
            item: item(id),
            failure: Failure::new(ErrorKind::Contract, "it is no JSON"),
        };
        Ok(Discovery {
            items: good.iter().map(|id: &String| item(id)).collect(),
            letters: bad.iter().map(letter).collect(),
            ..Discovery::default()
        })
    }

    fn takes(&self) -> bool {
        true
    }

    async fn stored(&self, item_ids: &[String]) -> Result<(), Failure> {
        let filter = JobFilter { limit: PAGE_MAX, ..JobFilter::default() };
        let jobs = self.store.jobs(filter).await.expect("readable").jobs.len();
        self.told.lock().expect("sound").push(jobs);
        if self.dies {
            return Err(Failure::transient("the broker is gone"));
        }
        self.messages.lock().expect("sound").retain(|id| !item_ids.contains(id));
        Ok(())
    }

    async fn rest(&self) {
        *self.rests.lock().expect("sound") += 1;
    }
}

struct Types(Arc<Mailbox>);

impl Catalog for Types {
    fn kind(&self, stage_type: &str) -> Option<StageKind> {
        match stage_type {
            "mailbox" => Some(StageKind::Source),
            "manual" => Some(StageKind::Manual),
            _ => None,
        }
    }

    fn names(&self) -> Vec<String> {
        ["mailbox", "manual"].map(str::to_owned).to_vec()
    }

    fn build(&self, stage: &Stage) -> Result<Executor, Vec<String>> {
        match stage.kind.as_str() {
            "mailbox" => Ok(Executor::Source(Arc::clone(&self.0) as Arc<dyn Source>)),
            _ => Ok(Executor::Manual),
        }
    }
}

const PIPELINE: &str = "
name: taken
stages:
  - { id: find, type: mailbox }
  - { id: look, type: manual }
routes:
  - { from: find, to: look, when: \"id != 'lost'\" }";

/// One look over a mailbox with these messages.
async fn look(backend: &Backend, messages: &[&str], dies: bool) -> Arc<Mailbox> {
    let mailbox = Arc::new(Mailbox {
        store: Arc::clone(&backend.store),
        messages: Mutex::new(messages.iter().map(|id| (*id).to_owned()).collect()),
        told: Mutex::default(),
        dies,
        rests: Mutex::default(),
    });
    let types = Arc::new(Types(Arc::clone(&mailbox)));
    let registry = Registry::new(Arc::clone(&backend.store), types, Arc::new(|_| None));
    let definition = registry.install("test", PIPELINE).await.expect("a good pipeline");
    let options = Options { sources: Sources::Once, ..Options::default() };
    let engine = Engine::start(backend.clone(), registry, definition, options).await;
    let engine = engine.expect("started");
    engine.until_idle().await.expect("it looks");
    engine.stop();
    engine.join().await.expect("it ends well");
    mailbox
}

#[tokio::test]
async fn messages_are_forgotten_after_they_are_jobs_or_dead_letters() {
    let clock = Arc::new(SystemClock);
    let backend = Backend::whole(Memory::new(clock.clone()), clock);
    let messages = ["a", "b", "bad", "lost"];
    // It ends between its commit and the acknowledgement, and looks once more.
    let dead = look(&backend, &messages, true).await;
    assert_eq!(dead.messages.lock().expect("sound").len(), 4, "nothing is acknowledged");
    let mailbox = look(&backend, &messages, false).await;
    assert!(mailbox.messages.lock().expect("sound").is_empty(), "all is acknowledged");
    for one in [&dead, &mailbox] {
        assert_eq!(*one.told.lock().expect("sound"), [4], "all is durable before");
        assert_eq!(*one.rests.lock().expect("sound"), 1);
    }

    let store = &backend.store;
    let filter = JobFilter { limit: PAGE_MAX, ..JobFilter::default() };
    let jobs = store.jobs(filter).await.expect("readable").jobs;
    let of = |state: JobState| {
        let jobs = jobs.iter().filter(|job| job.state == state);
        jobs.map(|job| job.params["id"].as_str().unwrap_or_default()).collect::<BTreeSet<_>>()
    };
    assert_eq!(jobs.len(), 4, "no second job of any");
    assert_eq!(of(JobState::Waiting), ["a", "b"].into());
    assert_eq!(of(JobState::Failed), ["bad", "lost"].into());
    let letters = store.dead_letters(DeadLetterFilter::newest(PAGE_MAX)).await.expect("readable");
    let reasons: Vec<String> = letters.iter().map(|letter| letter.failure.to_string()).collect();
    assert_eq!(letters.len(), 2);
    assert!(reasons.iter().any(|why| why.contains("it is no JSON")), "{reasons:?}");
    assert!(reasons.iter().any(|why| why.contains("look when id != 'lost'")), "{reasons:?}");
    let tasks = store.tasks(TaskFilter::first(PAGE_MAX)).await.expect("readable");
    assert_eq!(tasks.len(), 2, "dead letters are nobody's task");
}
