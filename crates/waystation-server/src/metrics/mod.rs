//! Metrics in the text form of Prometheus. The store counted most of them in the commits that were
//! made anyway, so that they are the same whichever server is asked, and survive restarts.

mod counted;
mod family;
mod meters;
mod process;
mod running;

use prometheus::{Encoder, TextEncoder};
use waystation_core::port;

use crate::context::Context;

pub use meters::{Meters, measured};

/// The type of the text.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// All metrics of this moment.
pub async fn text(context: &Context) -> Result<String, port::Error> {
    let (counts, ever) = (context.counts().await?, context.ever().await?);
    let depths = context.depths().await?;
    let workers = context.client().workers().await?;
    let pauses = context.client().pauses().await?;
    let mut families = counted::ever(&ever);
    families.extend(counted::standing(&counts));
    families.extend(running::queues(&depths, context.now()));
    families.extend(running::workers(&workers));
    families.extend(running::pauses(&pauses));
    families.extend(context.meters().families());
    families.extend(process::families());
    let mut text = Vec::new();
    if let Err(error) = TextEncoder::new().encode(&families, &mut text) {
        tracing::error!(%error, "metrics cannot be written");
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}
