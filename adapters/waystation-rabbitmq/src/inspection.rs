//! Whether a broker can be relied on. What is made to find out is taken away again.

use std::time::Duration;

use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use waystation_core::port::{Error, Finding};

use crate::error::explain_connect;
use crate::options::{Declare, Options, QueueKind};
use crate::topology::{QueueKey, Role};

/// What is tried: the most that is asked of a queue.
const DELAY: Role = Role::Delay(100);
/// A broker that confirms nothing in this time is blocked, or as good as that.
const CONFIRM_MAX: Duration = Duration::from_secs(3);
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// From here on a dead peer is noticed late.
const HEARTBEAT_SECONDS_MAX: u16 = 60;

/// Looks at a broker: what queues it has, our rights, and whether it takes messages.
pub async fn inspect(options: Options) -> Result<Vec<Finding>, Error> {
    let name = options.name();
    let properties =
        ConnectionProperties::default().with_connection_name("waystation doctor".into());
    let connecting = Connection::connect_uri(options.uri.clone(), properties);
    let Ok(connected) = tokio::time::timeout(CONNECT_MAX, connecting).await else {
        let message = format!("no connection within {CONNECT_MAX:?}");
        return Err(Error::Unavailable { name, message });
    };
    let connection = connected.map_err(|error| explain_connect(&name, &error))?;
    let mut findings = vec![Finding::fine("connection", format!("{name} answers"))];
    findings.push(makes_queues(&connection, &options).await);
    findings.push(takes_messages(&connection).await);
    findings.extend(heartbeat(&options));
    let _ = tokio::time::timeout(CONFIRM_MAX, connection.close(200, "done".into())).await;
    Ok(findings)
}

/// Makes a delay queue of the kind that is asked for, and takes it away: an old broker has no
/// quorum queues, or none whose messages expire.
async fn makes_queues(connection: &Connection, options: &Options) -> Finding {
    if options.declare == Declare::Passive {
        return Finding::fine("queues", "declare=passive: none are made, all must be there");
    }
    let key = QueueKey::of(&format!("waystation.doctor.{:016x}", fastrand::u64(..)), DELAY);
    let name = key.name(options);
    let trying = async {
        let channel = connection.create_channel().await?;
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(name.clone(), durable, key.arguments(options)).await?;
        channel.queue_delete(name.clone(), QueueDeleteOptions::default()).await
    };
    match tokio::time::timeout(CONFIRM_MAX, trying).await {
        Ok(Ok(_)) if options.kind == QueueKind::Quorum => {
            Finding::fine("queues", "quorum: on disk before they are confirmed")
        }
        Ok(Ok(_)) => Finding::warn(
            "queues",
            "queue=classic: durable, but on one node, and delays may be lost in its crash",
            "leave queue=classic out, unless other programs declare these queues so",
        ),
        Ok(Err(error)) => Finding::refuse(
            "queues",
            error.to_string(),
            "quorum queues with delays need RabbitMQ 3.10, and the user the right to configure; \
             queue=classic and declare=passive ask for less",
        ),
        Err(_) => Finding::refuse(
            "queues",
            format!("no queue is made within {CONFIRM_MAX:?}"),
            "see `rabbitmq-diagnostics check_running` and the broker's log",
        ),
    }
}

/// Publishes to a queue that ends with the connection, and waits for the confirm: a broker with a
/// memory or disk alarm takes nothing.
async fn takes_messages(connection: &Connection) -> Finding {
    let trying = async {
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let own = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let queue =
            channel.queue_declare(ShortString::default(), own, FieldTable::default()).await?;
        let confirm = channel.basic_publish(
            ShortString::default(),
            queue.name().clone(),
            BasicPublishOptions::default(),
            b"{}",
            BasicProperties::default(),
        );
        confirm.await?.await
    };
    match tokio::time::timeout(CONFIRM_MAX, trying).await {
        Ok(Ok(_)) => Finding::fine("publishing", "a message is confirmed"),
        Ok(Err(error)) => Finding::refuse(
            "publishing",
            error.to_string(),
            "the user needs the configure, write and read rights on the virtual host",
        ),
        Err(_) => Finding::refuse(
            "publishing",
            format!("nothing is confirmed within {CONFIRM_MAX:?}"),
            "see `rabbitmq-diagnostics alarms`: with one of memory or disk it takes nothing",
        ),
    }
}

fn heartbeat(options: &Options) -> Option<Finding> {
    let seconds = options.uri.query.heartbeat?;
    if (1..=HEARTBEAT_SECONDS_MAX).contains(&seconds) {
        return None;
    }
    let message = format!("heartbeat={seconds}: a dead connection is noticed late or never");
    Some(Finding::warn("heartbeat", message, "leave it out: it is 10 s"))
}
