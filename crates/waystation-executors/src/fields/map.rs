//! `fields.map`: sets fields to values, copies and templates, gives others new names, drops some.
//!
//! With `rename` or `drop` all params are given, as they are then; otherwise only those that
//! `fields` set.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::pipeline::Executor;

use crate::inputs::invalid;
use crate::path;
use crate::settings::{self, Texts};
use crate::shape::Shape;
use crate::template::Values;

/// What a stage of this type is told.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What each field becomes: a value, whose texts are templates over the params as they came.
    /// A text that is one param alone, as `{page.number}`, copies it as it is. Names may be dotted.
    #[serde(default)]
    fields: Params,
    /// The new name of each field that gets one. The stage must say `params: replace`.
    #[serde(default)]
    rename: BTreeMap<String, String>,
    /// Fields that do not go on. The stage must say `params: replace`.
    #[serde(default)]
    drop: Texts,
    /// Whether what names an absent param is left out; it fails otherwise.
    #[serde(default)]
    optional: bool,
}

struct Map {
    fields: Vec<(String, Shape)>,
    rename: BTreeMap<String, String>,
    drop: Vec<String>,
    optional: bool,
}

/// Makes a stage of it.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    let settings: Settings = settings::read(params)?;
    let Settings { fields, rename, drop: Texts(drop), optional } = settings;
    if fields.is_empty() && rename.is_empty() && drop.is_empty() {
        return Err(vec!["one of `fields`, `rename` and `drop` must be said".to_owned()]);
    }
    let (mut shapes, mut problems) = (Vec::new(), Vec::new());
    for (name, value) in fields {
        match Shape::parse(&format!("fields.{name}"), &value) {
            Ok(shape) => shapes.push((name, shape)),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Executor::Worker(Arc::new(Map { fields: shapes, rename, drop, optional })))
}

#[async_trait]
impl Handler for Map {
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        let values = Values::new(&context, &params);
        let mut made = Vec::new();
        for (name, shape) in &self.fields {
            let what = format!("field `{name}`");
            let value = if self.optional {
                shape.fill_known(&what, &values)?
            } else {
                Some(shape.fill(&what, &values)?)
            };
            made.extend(value.map(|value| (name.as_str(), value)));
        }
        if self.rename.is_empty() && self.drop.is_empty() {
            return Ok(Completion::ok(changed(&params, made)?));
        }
        let mut output = self.moved(params)?;
        for (name, value) in made {
            put(&mut output, name, value)?;
        }
        Ok(Completion::ok(output))
    }
}

impl Map {
    /// The params without what is dropped, and with new names. All are taken before one is put, so
    /// that two may change places.
    fn moved(&self, mut params: Params) -> Result<Params, Failure> {
        let mut taken = Vec::new();
        for (from, to) in &self.rename {
            match path::take(&mut params, from) {
                Some(value) => taken.push((to, value)),
                None if self.optional => {}
                None => {
                    let message = format!("param `{from}`, which is to be `{to}`, is absent");
                    return Err(Failure::new(ErrorKind::MissingParam, message));
                }
            }
        }
        for name in &self.drop {
            path::take(&mut params, name);
        }
        for (to, value) in taken {
            put(&mut params, to, value)?;
        }
        Ok(params)
    }
}

/// The params that are set, whole: merging looks at the outermost names only.
fn changed(params: &Params, made: Vec<(&str, Value)>) -> Result<Params, Failure> {
    let mut output = Params::new();
    for (name, value) in made {
        if let Some((outer, _)) = name.split_once('.').filter(|_| !params.contains_key(name))
            && let (false, Some(there)) = (output.contains_key(outer), params.get(outer))
        {
            output.insert(outer.to_owned(), there.clone());
        }
        put(&mut output, name, value)?;
    }
    Ok(output)
}

fn put(params: &mut Params, name: &str, value: Value) -> Result<(), Failure> {
    path::put(params, name, value)
        .map_err(|error| invalid(format!("field `{name}` cannot be set: {error}")))
}
