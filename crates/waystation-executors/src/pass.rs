//! `pass`: does nothing. For joints of a graph, and for trying things out.

use std::sync::Arc;

use async_trait::async_trait;
use waystation_core::Params;
use waystation_core::failure::Failure;
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::pipeline::Executor;

use crate::settings::{self, Nothing};

struct Pass;

#[async_trait]
impl Handler for Pass {
    async fn run(&self, _context: Context, _params: Params) -> Result<Completion, Failure> {
        Ok(Completion::default())
    }
}

/// A `pass` stage has no settings.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    settings::read::<Nothing>(params)?;
    Ok(Executor::Worker(Arc::new(Pass)))
}
