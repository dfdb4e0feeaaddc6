//! Real servers of a test's own, for what a shared one must not go through: killed, restarted,
//! filled up. They listen on loopback alone and end with the value that stands for them.
//!
//! They are what the system's packages installed; a test that needs one where there is none
//! fails and says so.

mod postgres;
mod rabbitmq;

use std::net::TcpListener;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub use postgres::Cluster;
pub use rabbitmq::RabbitMqServer;

/// Below the ports that systems give to whoever connects: one of those can be taken by any
/// connection before the server listens, even by the one that asks whether it does.
const PORTS: Range<u16> = 20_000..32_000;

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    let mut tries = (0..100).map(|_| fastrand::u16(PORTS));
    let free = tries.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.expect("a free port")
}

/// Whether we own what only root would: such servers refuse to run as root.
pub fn is_root(own: &Path) -> bool {
    std::fs::metadata(own).expect("our own folder").uid() == 0
}

/// The user and group ids of a user of this system.
pub fn ids_of(user: &str) -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").expect("a list of users");
    let line = users.lines().find(|line| line.split(':').next() == Some(user));
    let line = line.unwrap_or_else(|| panic!("there is no user {user}: is the server installed?"));
    let number = |place: usize| line.split(':').nth(place).and_then(|text| text.parse().ok());
    (number(2).expect("a user id"), number(3).expect("a group id"))
}
