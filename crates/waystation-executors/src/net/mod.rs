//! Asking others over HTTP, without being sent where nobody meant to.

mod asking;
pub mod guard;

pub use asking::{Answer, Asking, Request, Unanswered, shown};
pub use guard::Guard;

/// Says which code is behind TLS, unless the program said so before.
pub fn choose_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
