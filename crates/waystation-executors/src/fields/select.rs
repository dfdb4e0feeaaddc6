//! `fields.select`: keeps some fields, or drops some.

use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::pipeline::Executor;

use crate::inputs::invalid;
use crate::path;
use crate::settings::{self, Texts};

/// What a stage of this type is told. The stage must say `params: replace`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The fields that go on, and no others. Names may be dotted.
    keep: Option<Texts>,
    /// The fields that do not go on. Names may be dotted.
    drop: Option<Texts>,
    /// Whether fields to keep may be absent; the job fails otherwise.
    #[serde(default)]
    optional: bool,
}

enum Select {
    Keep { names: Vec<String>, optional: bool },
    Drop(Vec<String>),
}

/// Makes a stage of it.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    let Settings { keep, drop, optional } = settings::read(params)?;
    let select = match (keep, drop) {
        (Some(Texts(names)), None) => Select::Keep { names, optional },
        (None, Some(_)) if optional => {
            return Err(vec!["setting `optional` is of use with `keep` only".to_owned()]);
        }
        (None, Some(Texts(names))) => Select::Drop(names),
        _ => return Err(vec!["either `keep` or `drop` must be said".to_owned()]),
    };
    Ok(Executor::Worker(Arc::new(select)))
}

#[async_trait]
impl Handler for Select {
    async fn run(&self, _context: Context, mut params: Params) -> Result<Completion, Failure> {
        match self {
            Self::Drop(names) => {
                for name in names {
                    path::take(&mut params, name);
                }
                Ok(Completion::ok(params))
            }
            Self::Keep { names, optional } => {
                let mut kept = Params::new();
                for name in names {
                    match path::get(&params, name) {
                        Some(value) => path::put(&mut kept, name, value.clone())
                            .map_err(|error| invalid(format!("cannot keep `{name}`: {error}")))?,
                        None if *optional => {}
                        None => {
                            let message = format!("param `{name}`, which is to be kept, is absent");
                            return Err(Failure::new(ErrorKind::MissingParam, message));
                        }
                    }
                }
                Ok(Completion::ok(kept))
            }
        }
    }
}
