//! Objects in memory, which lists as clouds do.

use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use waystation_core::source::{BATCH_MAX, Source};

use super::*;
use crate::objects::place::Store;

/// A place in memory with a source over it.
struct Bucket {
    store: Arc<InMemory>,
    objects: Objects,
}

impl Bucket {
    async fn with(keys: &[&str]) -> Self {
        let store = Arc::new(InMemory::new());
        let place = Place {
            store: Store::Open(Arc::clone(&store) as _),
            folder: Path::from("in"),
            base: "memory:///".to_owned(),
            is_ordered: true,
        };
        let objects = Objects {
            place,
            prefix: String::new(),
            depth_max: None,
            selection: Arc::default(),
            order: Order { by: SortBy::Name, ascending: true },
        };
        let bucket = Self { store, objects };
        for key in keys {
            bucket.put(key, "text").await;
        }
        bucket
    }

    async fn put(&self, key: &str, text: &str) {
        self.store.put(&Path::from(key), text.to_owned().into()).await.expect("put");
    }

    fn source(&self, bounds: Bounds) -> Lister<Objects> {
        Lister::new(self.objects.clone(), bounds)
    }
}

async fn keys(source: &impl Source, checkpoint: &mut Option<serde_json::Value>) -> Vec<String> {
    let mut keys = Vec::new();
    loop {
        let found = source.discover(checkpoint.clone()).await.expect("discovered");
        keys.extend(found.items.iter().map(|item| item.params["key"].as_str().expect("k").into()));
        *checkpoint = found.checkpoint.or(checkpoint.take());
        if !found.more {
            return keys;
        }
    }
}

#[tokio::test]
async fn each_object_is_found_once_and_again_when_it_was_written_over() {
    let bucket = Bucket::with(&["in/b", "in/sub/c", "in/a", "out/x", "inner/y"]).await;
    let source = bucket.source(Bounds::default());
    let mut kept = None;
    assert_eq!(keys(&source, &mut kept).await, ["in/a", "in/b", "in/sub/c"]);
    assert!(keys(&source, &mut kept).await.is_empty());
    bucket.put("in/a", "text").await;
    bucket.put("in/0", "text").await;
    assert_eq!(keys(&source, &mut kept).await, ["in/0", "in/a"]);
}

#[tokio::test]
async fn look_that_was_interrupted_goes_on_and_the_next_one_begins_at_the_front() {
    let names: Vec<String> = (0..=BATCH_MAX).map(|number| format!("in/{number:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let bucket = Bucket::with(&names).await;
    let first = bucket.source(Bounds::default()).discover(None).await.expect("discovered");
    assert!(first.more);
    let mut kept = first.checkpoint;
    bucket.put("in/0000", "written over").await;
    let another = bucket.source(Bounds::default());
    assert_eq!(keys(&another, &mut kept).await, ["in/0500"]);
    assert!(keys(&another, &mut kept).await.contains(&"in/0000".to_owned()));
}

#[tokio::test]
async fn where_keys_only_grow_earlier_ones_are_not_listed_again() {
    let bucket = Bucket::with(&["in/2026-01", "in/2026-02"]).await;
    let bounds = Bounds { append_only: true, results_max: None };
    let mut kept = None;
    assert_eq!(keys(&bucket.source(bounds), &mut kept).await.len(), 2);
    bucket.put("in/2026-03", "text").await;
    bucket.put("in/2025-12", "text").await;
    assert_eq!(keys(&bucket.source(bounds), &mut kept).await, ["in/2026-03"]);
}

#[tokio::test]
async fn objects_are_chosen_and_put_in_order() {
    let mut bucket = Bucket::with(&["in/ab/1", "in/ab/deep/2", "in/ac/3", "in/b"]).await;
    bucket.put("in/ab/1", "longer than the others").await;
    bucket.objects.prefix = "a".to_owned();
    bucket.objects.order = Order { by: SortBy::Size, ascending: false };
    bucket.objects.depth_max = Some(1);
    let source = bucket.source(Bounds::default());
    assert_eq!(keys(&source, &mut None).await, ["in/ab/1", "in/ac/3"]);
    bucket.objects.prefix = "ab/".to_owned();
    let source = bucket.source(Bounds::default());
    assert_eq!(keys(&source, &mut None).await, ["in/ab/1"]);
}
