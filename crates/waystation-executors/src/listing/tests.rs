//! What is told again, and what is not, as checkpoints are kept or lost.

use std::sync::{Arc, Mutex as Plain};

use futures_util::stream;
use waystation_core::Params;

use super::*;

/// A listing of names.
#[derive(Clone, Default)]
struct Names(Arc<Plain<Vec<String>>>);

impl Names {
    fn of(names: &[&str]) -> Self {
        Self(Arc::new(Plain::new(names.iter().map(|name| (*name).to_owned()).collect())))
    }

    fn add(&self, name: &str) {
        let mut names = self.0.lock().expect("sound");
        names.push(name.to_owned());
        names.sort();
    }
}

#[async_trait]
impl Finder for Names {
    type What = ();

    async fn look(
        &self,
        after: Option<String>,
    ) -> Result<BoxStream<'static, Result<Found<()>, Failure>>, Failure> {
        let names = self.0.lock().expect("sound").clone();
        let rest = names.into_iter().filter(move |name| Some(name) > after.as_ref());
        let thing = |name: String| Thing { place: name.clone(), id: name, what: () };
        Ok(stream::iter(rest.map(move |name| {
            let fault = || Fault { what: name.clone(), message: "it cannot be read".to_owned() };
            match name.chars().next() {
                Some('!') => Ok(Err(fault())),
                Some('~') => Err(Failure::transient("the listing broke off")),
                _ => Ok(Ok(thing(name))),
            }
        }))
        .boxed())
    }

    async fn item(&self, thing: Thing<()>) -> Result<Option<Item>, Fault> {
        Ok(Some(Item { id: thing.id, params: Params::new() }))
    }
}

/// What the next look tells; its checkpoints are kept.
async fn told<F: Finder>(source: &Lister<F>, checkpoint: &mut Option<Value>) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        let found = source.discover(checkpoint.clone()).await.expect("discovered");
        told.extend(found.items.into_iter().map(|item| item.id));
        if let Some(kept) = found.checkpoint {
            *checkpoint = Some(kept);
        }
        if !found.more {
            return told;
        }
    }
}

#[tokio::test]
async fn what_is_told_is_told_again_unless_its_checkpoint_was_kept() {
    let names = Names::of(&["a", "b"]);
    let source = Lister::new(names.clone(), Bounds::default());
    let mut kept = None;
    // The batch is refused, as under a lock that was lost: nobody keeps its checkpoint.
    assert_eq!(told(&source, &mut None).await, ["a", "b"]);
    assert_eq!(told(&source, &mut kept).await, ["a", "b"]);
    assert!(told(&source, &mut kept).await.is_empty());
    names.add("c");
    assert_eq!(told(&source, &mut kept.clone()).await, ["c"], "and it is refused again");
    assert_eq!(told(&source, &mut kept).await, ["a", "b", "c"]);
    assert!(told(&source, &mut kept).await.is_empty());
    // Somebody else looked meanwhile.
    told(&Lister::new(names, Bounds::default()), &mut kept).await;
    assert_eq!(told(&source, &mut kept).await.len(), 3);
    assert_eq!(told(&source, &mut None).await.len(), 3, "from the beginning");
}

#[tokio::test]
async fn looks_that_take_no_more_go_on_where_they_stood_whoever_does() {
    let names = Names::of(&["a", "b", "c", "d", "e"]);
    let bounds = Bounds { results_max: Some(2), append_only: false };
    let mut kept = None;
    for expected in [vec!["a", "b"], vec!["c", "d"], vec!["e"], vec!["a", "b"]] {
        let another = Lister::new(names.clone(), bounds);
        assert_eq!(told(&another, &mut kept).await, expected);
    }
    let source = Lister::new(names.clone(), bounds);
    let mut kept = None;
    for expected in [vec!["a", "b"], vec!["c", "d"], vec!["e"], vec![]] {
        assert_eq!(told(&source, &mut kept).await, expected);
    }
    names.add("aa");
    assert_eq!(told(&source, &mut kept).await, ["aa"]);
}

#[tokio::test]
async fn large_listings_come_in_batches_and_go_on_after_a_crash() {
    let many: Vec<String> = (0..=2 * BATCH_MAX).map(|number| format!("{number:05}")).collect();
    let names = Names(Arc::new(Plain::new(many)));
    let source = Lister::new(names.clone(), Bounds::default());
    let first = source.discover(None).await.expect("discovered");
    assert!(first.more && first.items.len() == BATCH_MAX);
    let mut kept = first.checkpoint;
    let another = Lister::new(names, Bounds::default());
    let rest = told(&another, &mut kept).await;
    assert_eq!((rest.len(), rest[0].as_str()), (BATCH_MAX + 1, "00500"));
    assert_eq!(told(&another, &mut kept).await.len(), BATCH_MAX, "those it did not tell itself");
}

#[tokio::test]
async fn where_names_only_grow_nothing_is_listed_twice() {
    let names = Names::of(&["a", "b"]);
    let bounds = Bounds { results_max: None, append_only: true };
    let mut kept = None;
    assert_eq!(told(&Lister::new(names.clone(), bounds), &mut kept).await, ["a", "b"]);
    names.add("aa");
    names.add("c");
    assert_eq!(told(&Lister::new(names, bounds), &mut kept).await, ["c"]);
}

#[tokio::test]
async fn faults_stop_nothing() {
    let source = Lister::new(Names::of(&["!x", "a"]), Bounds::default());
    let found = source.discover(None).await.expect("discovered");
    assert_eq!((found.items.len(), found.faults.len(), found.more), (1, 1, false));
    assert_eq!(found.faults[0].what, "!x");
}

#[tokio::test]
async fn what_was_found_before_a_listing_broke_off_is_not_lost() {
    let source = Lister::new(Names::of(&["a", "b", "~", "~~"]), Bounds::default());
    let found = source.discover(None).await.expect("discovered");
    assert_eq!((found.items.len(), found.more), (2, true));
    let failure = source.discover(found.checkpoint).await.expect_err("it breaks off again");
    assert_eq!(failure.message, "the listing broke off");
}
