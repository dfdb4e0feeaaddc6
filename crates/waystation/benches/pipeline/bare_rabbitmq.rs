//! The least that RabbitMQ must do for the same work: each message is consumed, published to the
//! next queue with a confirm, and then acknowledged. Prefetch and window 1,000, cumulative
//! acknowledgements where they are due.

use std::time::Instant;

use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, PublisherConfirm};
use tokio::sync::mpsc;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const WINDOW: u16 = 1_000;
/// A contract of the size that the engine's are.
const BODY_BYTES: usize = 400;

/// Takes this many messages from one queue to another: each hop is a whole one. Gives hops per
/// second.
pub async fn hop(messages: usize, server: &str) -> Result<f64> {
    let connection = Connection::connect(server, ConnectionProperties::default()).await?;
    let queue = |end: &str| format!("bench.{}.hop.{end}", std::process::id());
    let queues = [queue("from"), queue("to")];
    let filling = connection.create_channel().await?;
    filling.confirm_select(ConfirmSelectOptions::default()).await?;
    for queue in &queues {
        declare(&filling, queue).await?;
    }
    fill(&filling, &queues[0], messages).await?;
    let started = Instant::now();
    relay(server, &queues[0], Some(&queues[1]), messages).await?;
    let speed = messages as f64 / started.elapsed().as_secs_f64();
    for queue in &queues {
        filling.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await?;
    }
    Ok(speed)
}

/// Takes this many messages through the stages, all stages at once; those of the last queue are
/// only acknowledged. Gives messages per second.
pub async fn drain(jobs: usize, stages: usize, server: &str) -> Result<f64> {
    let connection = Connection::connect(server, ConnectionProperties::default()).await?;
    let queues: Vec<String> =
        (0..stages).map(|stage| format!("bench.{}.bare.{stage}", std::process::id())).collect();
    let filling = connection.create_channel().await?;
    filling.confirm_select(ConfirmSelectOptions::default()).await?;
    for queue in &queues {
        declare(&filling, queue).await?;
    }
    fill(&filling, &queues[0], jobs).await?;
    let started = Instant::now();
    let mut relays = Vec::new();
    for (stage, queue) in queues.iter().enumerate() {
        let (from, to) = (queue.clone(), queues.get(stage + 1).cloned());
        let (server, jobs) = (server.to_owned(), jobs);
        relays.push(tokio::spawn(async move { relay(&server, &from, to.as_deref(), jobs).await }));
    }
    for relay in relays {
        relay.await??;
    }
    let speed = jobs as f64 / started.elapsed().as_secs_f64();
    for queue in &queues {
        filling.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await?;
    }
    Ok(speed)
}

async fn declare(channel: &Channel, queue: &str) -> Result<()> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), durable, arguments).await?;
    Ok(())
}

async fn publish(channel: &Channel, queue: &str, body: &[u8]) -> Result<PublisherConfirm> {
    let properties = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    Ok(channel.basic_publish("".into(), queue.into(), options, body, properties).await?)
}

async fn fill(channel: &Channel, queue: &str, jobs: usize) -> Result<()> {
    let body = vec![b'x'; BODY_BYTES];
    let mut window = std::collections::VecDeque::new();
    for _ in 0..jobs {
        if window.len() == usize::from(WINDOW)
            && let Some(first) = window.pop_front()
        {
            let first: PublisherConfirm = first;
            first.await?;
        }
        window.push_back(publish(channel, queue, &body).await?);
    }
    for confirm in window {
        confirm.await?;
    }
    Ok(())
}

/// One connection to publish on and one to consume on, as the engine has.
async fn relay(server: &str, from: &str, to: Option<&str>, jobs: usize) -> Result<()> {
    let consuming = Connection::connect(server, ConnectionProperties::default()).await?;
    let publishing = Connection::connect(server, ConnectionProperties::default()).await?;
    let (channel, out) = (consuming.create_channel().await?, publishing.create_channel().await?);
    out.confirm_select(ConfirmSelectOptions::default()).await?;
    channel.basic_qos(WINDOW, BasicQosOptions::default()).await?;
    let consume = BasicConsumeOptions::default();
    let mut deliveries =
        channel.basic_consume(from.into(), "".into(), consume, FieldTable::default()).await?;
    let (sender, mut confirms) = mpsc::channel::<(Option<PublisherConfirm>, u64)>(4_096);
    let acknowledging = {
        let channel = channel.clone();
        tokio::spawn(async move {
            let mut pending = 0;
            for done in 1..=jobs {
                let Some((confirm, tag)) = confirms.recv().await else { break };
                if let Some(confirm) = confirm {
                    confirm.await?;
                }
                pending += 1;
                if pending == 50 || confirms.is_empty() || done == jobs {
                    channel.basic_ack(tag, BasicAckOptions { multiple: true }).await?;
                    pending = 0;
                }
            }
            lapin::Result::Ok(())
        })
    };
    for _ in 0..jobs {
        let Some(delivery) = deliveries.next().await.transpose()? else { break };
        let confirm = match to {
            Some(to) => Some(publish(&out, to, &delivery.data).await?),
            None => None,
        };
        sender.send((confirm, delivery.delivery_tag)).await?;
    }
    acknowledging.await??;
    Ok(())
}
