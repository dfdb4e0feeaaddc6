//! Secrets: made at random, shown once, and kept as hashes.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// How many random bytes a secret has: too many to be guessed, so that a fast hash guards it as
/// well as a slow one would.
const SECRET_BYTES: usize = 32;

/// A new secret, in hexadecimal. An error when the system gives no random bytes.
pub fn make() -> Result<String, getrandom::Error> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(hexadecimal(&bytes))
}

/// What is kept of a secret: its SHA-256, in hexadecimal. It is looked up as a key, so that nothing
/// is compared byte by byte with the secret itself.
pub fn hash(secret: &str) -> String {
    hexadecimal(&Sha256::digest(secret.as_bytes()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
