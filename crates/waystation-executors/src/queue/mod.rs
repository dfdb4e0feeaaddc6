//! `queue`: makes a job of each message of somebody else's queue: one of RabbitMQ, or a stream of
//! Redis.
//!
//! A look takes messages for as long as they come; each batch is acknowledged after its jobs are
//! committed, and what was not is given back when the look is over. So a message is at both places
//! for a moment and never at none; that it comes again makes no second job where it has an id.

mod message;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
#[cfg(feature = "redis")]
mod redis;
mod source;

use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;
use waystation_core::Params;
use waystation_core::failure::Failure;
use waystation_core::pipeline::Executor;
use waystation_core::source::BATCH_MAX;

use self::message::{Message, Shape};
use self::source::{Bounds, Taker};
use crate::settings::{self, Seconds};

/// What a stage of this type is told.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where it is: `amqp://USER:PASSWORD@HOST/VHOST` or `redis://USER:PASSWORD@HOST/DB`, with an
    /// `s` for TLS.
    #[schemars(regex(pattern = "^(amqps?|rediss?)://."))]
    url: String,
    /// The queue of RabbitMQ. It must be there.
    #[schemars(length(min = 1))]
    queue: Option<String>,
    /// The stream of Redis.
    #[schemars(length(min = 1))]
    stream: Option<String>,
    /// The consumer group of the stream; made at the stream's beginning where it is not there.
    #[schemars(length(min = 1))]
    group: Option<String>,
    /// The field of the stream's entries that holds JSON. Unless said, the fields are the params.
    #[schemars(length(min = 1))]
    field: Option<String>,
    /// Where a message's id is in its JSON: a JSON pointer. Unless said, it is the message id of
    /// RabbitMQ, or the entry's of Redis.
    #[schemars(extend("format" = "json-pointer"))]
    id: Option<String>,
    /// The param that holds the message. Unless said, its fields are the params.
    #[schemars(length(min = 1))]
    under: Option<String>,
    /// What becomes of messages that no job can be made of: a dead letter here, or they are given
    /// to whatever the broker has for such.
    #[serde(default)]
    unparsable: Unparsable,
    /// The most messages that are taken and committed together.
    #[serde(default = "batch")]
    #[schemars(range(min = 1, max = 500))]
    batch: usize,
    /// A look ends once nothing came for so long.
    #[serde(default = "wait")]
    wait_seconds: Seconds,
    /// And after so long, whatever comes.
    #[serde(default = "look")]
    look_seconds: Seconds,
    /// How long after the beginning of a look the next one begins, at the earliest; 1 unless this
    /// or `schedule` is said.
    #[expect(dead_code, reason = "the engine reads it")]
    polling_interval_seconds: Option<Seconds>,
}

/// What becomes of messages that no job can be made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unparsable {
    /// They lie with the dead letters, with the reason.
    #[default]
    Dead,
    /// RabbitMQ: to the queue's dead letter exchange. Redis: to the stream `STREAM:rejected`.
    Reject,
}

fn batch() -> usize {
    BATCH_MAX
}

fn wait() -> Seconds {
    Seconds(20.0)
}

fn look() -> Seconds {
    Seconds(60.0)
}

/// A queue of somebody else's. Receipts are good until it rests.
#[async_trait]
trait Line: Send + Sync {
    /// The next messages, waiting a little for the first: what was taken before and not told of
    /// as done is not among them until it has rested.
    async fn take(&self, max: usize, wait: std::time::Duration) -> Result<Vec<Message>, Failure>;

    /// These are stored elsewhere: the queue forgets them.
    async fn done(&self, receipts: &[String]) -> Result<(), Failure>;

    /// Nobody can use this one: it goes wherever the queue has such go.
    async fn reject(&self, message: &Message, why: &str) -> Result<(), Failure>;

    /// Gives back what was taken and is not done.
    async fn rest(&self);
}

/// Makes a stage of it.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    let settings: Settings = settings::read(params)?;
    let line = line(&settings)?;
    let shape = Shape { id: settings.id, under: settings.under, field: settings.field };
    let bounds = Bounds {
        batch: settings.batch,
        wait: settings.wait_seconds.into(),
        look: settings.look_seconds.into(),
    };
    Ok(Executor::Source(Arc::new(Taker::new(line, shape, settings.unparsable, bounds))))
}

fn line(settings: &Settings) -> Result<Box<dyn Line>, Vec<String>> {
    // What it says may have a password in it.
    let url = Url::parse(&settings.url).map_err(|error| vec![format!("setting `url`: {error}")])?;
    let Settings { queue, stream, group, field, .. } = settings;
    let said = [
        ("queue", queue.is_some()),
        ("stream", stream.is_some()),
        ("group", group.is_some()),
        ("field", field.is_some()),
    ];
    let is_amqp = url.scheme().starts_with("amqp");
    let (needed, others): (&[&str], &[&str]) = if is_amqp {
        (&["queue"], &["stream", "group", "field"])
    } else {
        (&["stream", "group"], &["queue"])
    };
    let is_said = |name: &str| said.iter().any(|(own, is_said)| *own == name && *is_said);
    let absent = needed.iter().filter(|name| !is_said(name));
    let absent = absent.map(|name| format!("setting `{name}` is absent"));
    let senseless = others.iter().filter(|name| is_said(name));
    let senseless =
        senseless.map(|name| format!("setting `{name}` says nothing for `{}://`", url.scheme()));
    let problems: Vec<String> = absent.chain(senseless).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    if is_amqp { amqp(settings) } else { streamed(settings) }
}

#[cfg(feature = "rabbitmq")]
fn amqp(settings: &Settings) -> Result<Box<dyn Line>, Vec<String>> {
    let queue = settings.queue.as_deref().unwrap_or_default();
    Ok(Box::new(rabbitmq::Rabbit::new(&settings.url, queue, settings.batch)?))
}

#[cfg(not(feature = "rabbitmq"))]
fn amqp(_: &Settings) -> Result<Box<dyn Line>, Vec<String>> {
    Err(vec!["setting `url`: this build has no RabbitMQ (hint: feature `rabbitmq`)".to_owned()])
}

#[cfg(feature = "redis")]
fn streamed(settings: &Settings) -> Result<Box<dyn Line>, Vec<String>> {
    let stream = settings.stream.as_deref().unwrap_or_default();
    let group = settings.group.as_deref().unwrap_or_default();
    Ok(Box::new(redis::Stream::new(&settings.url, stream, group)?))
}

#[cfg(not(feature = "redis"))]
fn streamed(_: &Settings) -> Result<Box<dyn Line>, Vec<String>> {
    Err(vec!["setting `url`: this build has no Redis (hint: feature `redis`)".to_owned()])
}
