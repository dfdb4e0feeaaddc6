//! RabbitMQ, a real one: what is on the wire, what is counted, what comes back. The server is named
//! by `WAYSTATION_TEST_RABBITMQ`; `cargo xtask services up rabbitmq` starts one.
#![cfg(test)]

mod broker;
mod deliveries;
mod dp3;
mod journal;
mod parts;
mod settlements;
mod signals;
mod wire;
