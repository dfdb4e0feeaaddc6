//! The source: its settings, and how it lists.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::ObjectMeta;
use object_store::path::Path;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::pipeline::Executor;
use waystation_core::source::{Fault, Item};

use super::place::Place;
use crate::listing::{
    Bounds, Facts, Finder, Found, Lister, Order, Selection, SortBy, Thing, endings,
};
use crate::settings::{self, Globs, Moment, Seconds, Texts};

/// The most objects that are put in order: those of a place that lists in none, or where another
/// order is asked for.
const SORTED_MAX: usize = 1_000_000;

/// What a stage of this type is told.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the objects are: `s3://BUCKET/FOLDER`, `az://CONTAINER/FOLDER`, `gs://BUCKET/FOLDER`,
    /// `file://FOLDER` or `memory://`.
    #[schemars(length(min = 1))]
    url: String,
    /// Credentials and whatever else the store is told, by the names of the cloud's variables, as
    /// `aws_access_key_id`.
    #[serde(default)]
    options: BTreeMap<String, String>,
    /// Only keys that begin so, after the folder.
    prefix: Option<String>,
    /// Globs over the key within the folder, of which one must fit; every object unless said.
    patterns: Option<Globs>,
    /// Globs over the key within the folder, of which none may fit.
    exclude: Option<Globs>,
    /// Only keys with one of these endings, as `pdf`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["file_extensions"]))]
    extensions: Texts,
    /// How many folders deep; 0 is the folder alone. As deep as there are any unless said.
    max_depth: Option<usize>,
    /// Smaller objects are left out.
    #[schemars(extend("x-aliases" = ["min_size_bytes"]))]
    min_bytes: Option<u64>,
    /// Larger objects are left out.
    #[schemars(extend("x-aliases" = ["max_size_bytes"]))]
    max_bytes: Option<u64>,
    /// Objects that were changed before this moment are left out.
    modified_after: Option<Moment>,
    /// Objects that were changed at this moment or later are left out.
    modified_before: Option<Moment>,
    /// In what order objects become jobs.
    #[serde(default)]
    sort_by: SortBy,
    /// Whether the least comes first: the first key, the oldest, the smallest.
    #[serde(default = "yes")]
    sort_ascending: bool,
    /// The most objects that become jobs in one look; the next one goes on. As many as there are
    /// unless said.
    #[schemars(range(min = 1))]
    max_results: Option<usize>,
    /// Whether keys only grow and objects are never written over: then each look begins behind the
    /// last key, and earlier ones are not listed again.
    #[serde(default)]
    append_only: bool,
    /// How long after the beginning of a look the next one begins: another way to say `schedule`.
    #[expect(dead_code, reason = "the engine reads it")]
    polling_interval_seconds: Option<Seconds>,
}

fn yes() -> bool {
    true
}

/// Makes a stage of it.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    let settings: Settings = settings::read(params)?;
    let order = Order { by: settings.sort_by, ascending: settings.sort_ascending };
    if settings.append_only && !order.is_natural() {
        let message = "setting `append_only` needs the order of the keys: leave `sort_by` and \
                       `sort_ascending` out";
        return Err(vec![message.into()]);
    }
    let place = Place::open(&settings.url, &settings.options).map_err(|error| vec![error])?;
    let bounds = Bounds { results_max: settings.max_results, append_only: settings.append_only };
    let objects = Objects {
        place,
        prefix: settings.prefix.unwrap_or_default(),
        depth_max: settings.max_depth,
        order,
        selection: Arc::new(Selection {
            patterns: settings.patterns,
            exclude: settings.exclude,
            endings: endings(&settings.extensions),
            bytes_min: settings.min_bytes,
            bytes_max: settings.max_bytes,
            modified_after: settings.modified_after,
            modified_before: settings.modified_before,
        }),
    };
    Ok(Executor::Source(Arc::new(Lister::new(objects, bounds))))
}

/// The objects of a place.
#[derive(Clone)]
struct Objects {
    place: Place,
    prefix: String,
    depth_max: Option<usize>,
    selection: Arc<Selection>,
    order: Order,
}

type Stream = BoxStream<'static, Result<Thing<ObjectMeta>, Failure>>;

#[async_trait]
impl Finder for Objects {
    type What = ObjectMeta;

    async fn look(
        &self,
        after: Option<String>,
    ) -> Result<BoxStream<'static, Result<Found<ObjectMeta>, Failure>>, Failure> {
        if self.place.is_ordered && self.order.is_natural() {
            return Ok(self.list(after.as_deref())?.map_ok(Ok).boxed());
        }
        let mut things = Vec::new();
        let mut listed = self.list(None)?;
        while let Some(thing) = listed.try_next().await? {
            if things.len() == SORTED_MAX {
                let message = format!(
                    "{} has more than {SORTED_MAX} objects to be put in order (hint: `prefix`)",
                    self.place.base
                );
                return Err(Failure::new(ErrorKind::Permanent, message));
            }
            things.push(thing);
        }
        let things = self.order.arrange(things, after.as_deref());
        Ok(stream::iter(things.into_iter().map(|thing| Ok(Ok(thing)))).boxed())
    }

    async fn item(&self, thing: Thing<ObjectMeta>) -> Result<Option<Item>, Fault> {
        let Thing { id, what: object, .. } = thing;
        let mut params = Params::new();
        params.insert("url".into(), json!(self.place.url_of(&object.location)));
        params.insert("key".into(), json!(object.location.as_ref()));
        params.insert("name".into(), json!(object.location.filename()));
        params.insert("bytes".into(), json!(object.size));
        params.insert("modified_at".into(), json!(modified_at(&object).to_string()));
        if let Some(etag) = &object.e_tag {
            params.insert("etag".into(), json!(etag));
        }
        Ok(Some(Item { id, params }))
    }
}

impl Objects {
    /// The wanted objects behind a key, as the store lists them.
    fn list(&self, after: Option<&str>) -> Result<Stream, Failure> {
        // Stores look for whole folders: what follows the last `/` is looked at here.
        let (folders, _) = self.prefix.rsplit_once('/').unwrap_or_default();
        let parts = Path::parse(folders).map_err(|error| self.failed(&error))?;
        let folder: Path = self.place.folder.parts().chain(parts.parts()).collect();
        let store = self.place.store.open().map_err(|error| self.failed(&error))?;
        let listed = match after {
            None => store.list(Some(&folder)),
            Some(after) => {
                let after = Path::parse(after).map_err(|error| self.failed(&error))?;
                store.list_with_offset(Some(&folder), &after)
            }
        };
        let (whole, objects) = (self.clone(), self.clone());
        let things = listed.map_err(move |error| whole.failed(&error));
        Ok(things
            .try_filter_map(move |object| std::future::ready(Ok(objects.thing(object))))
            .boxed())
    }

    /// An object, if it is wanted.
    fn thing(&self, object: ObjectMeta) -> Option<Thing<ObjectMeta>> {
        let key = object.location.as_ref();
        let folder = self.place.folder.as_ref();
        let path = key.strip_prefix(folder).unwrap_or(key).trim_start_matches('/');
        let modified_at = modified_at(&object);
        let facts = Facts { path, bytes: object.size, modified_at };
        let is_deep = self.depth_max.is_some_and(|most| path.matches('/').count() > most);
        if is_deep || !path.starts_with(&self.prefix) || !self.selection.takes(&facts) {
            return None;
        }
        let natural = || key.to_owned();
        let place = if self.order.is_natural() { natural() } else { self.order.place(&facts) };
        let stamp = object.e_tag.clone().unwrap_or_else(|| modified_at.to_string());
        let id = format!("{}{}:{}:{stamp}", self.place.base, object.location, object.size);
        Some(Thing { place, id, what: object })
    }

    fn failed(&self, error: &dyn std::error::Error) -> Failure {
        let below = Failure::from_error(ErrorKind::Transient, error);
        let mut failure = Failure::transient(format!("cannot list {}", self.place.base));
        failure.causes.push(below.message);
        failure.causes.extend(below.causes);
        failure
    }
}

fn modified_at(object: &ObjectMeta) -> Timestamp {
    let microseconds = object.last_modified.timestamp_micros();
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
