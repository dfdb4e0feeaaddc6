//! Values that lie apart as blobs: put there after an attempt, read back before the next.

use std::sync::Arc;

use serde_json::Value;
use waystation_core::Params;
use waystation_core::contract::Contract;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::Completion;
use waystation_core::pipeline::{Pipeline, Stage};
use waystation_core::port::{BLOB_BYTES_MAX, BlobError, BlobStore};

use crate::backend::Backend;
use crate::decide::offload;

/// What a handler is given of a contract.
#[derive(Default)]
pub struct Input {
    /// The params, with every value in its place.
    pub params: Params,
    /// The contract's wire form with these params.
    pub wire: Arc<[u8]>,
    /// What lay apart, to be known again where a handler gives it back as it was.
    pub apart: Vec<offload::Known>,
}

/// Reads back every value that lies apart. `body` is the contract as it came.
pub async fn read_back(
    backend: &Backend,
    contract: &Contract,
    body: &[u8],
) -> Result<Input, Failure> {
    match whole(backend, &contract.params).await? {
        None => {
            let apart = Vec::new();
            Ok(Input { params: contract.params.clone(), wire: body.into(), apart })
        }
        Some(params) => {
            let apart = offload::known(&contract.params, &params);
            let whole = Contract { params, ..contract.clone() };
            Ok(Input { wire: whole.to_bytes().into(), params: whole.params, apart })
        }
    }
}

/// The params with every value in its place. `None` when none lies apart.
pub async fn whole(backend: &Backend, params: &Params) -> Result<Option<Params>, Failure> {
    let apart = offload::offloaded(params);
    if apart.is_empty() {
        return Ok(None);
    }
    let blobs = store(backend)?;
    let mut whole = params.clone();
    let mut room = BLOB_BYTES_MAX;
    for (place, key) in apart {
        let name = &place.name;
        let bytes = blobs.get(&key, room).await.map_err(BlobError::into_failure)?;
        room -= bytes.len() as u64;
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| {
            let message = format!("blob `{key}` is not the JSON of param `{name}`: {error}");
            Failure::new(ErrorKind::InvalidParam, message)
        })?;
        place.put(&mut whole, value);
    }
    Ok(Some(whole))
}

/// Puts what is too large to travel apart, where the stage says so.
pub async fn put_apart(
    backend: &Backend,
    pipeline: &Pipeline,
    stage: &Stage,
    contract: &Contract,
    known: &[offload::Known],
    mut completion: Completion,
) -> Result<Completion, Failure> {
    offload::recognise(&mut completion, known);
    if !stage.offload {
        return Ok(completion);
    }
    let bytes_max = backend.queue.capabilities().payload_bytes_max;
    let mut apart = offload::choose(pipeline, stage, contract, &completion, bytes_max);
    offload::refer(&mut completion, &apart);
    for one in &mut apart {
        let bytes = std::mem::take(&mut one.bytes);
        store(backend)?.put(&one.key, bytes).await.map_err(BlobError::into_failure)?;
    }
    Ok(completion)
}

fn store(backend: &Backend) -> Result<&dyn BlobStore, Failure> {
    backend.blobs.as_deref().ok_or_else(|| BlobError::NotConfigured.into_failure())
}
