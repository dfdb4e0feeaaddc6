//! What a claim's id says to us: enough to take the claim up again after a restart, or at another
//! server.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use waystation_core::clock::Timestamp;
use waystation_core::id::{JobId, PipelineName, QueueName, StageId};
use waystation_core::key::Key;
use waystation_core::settlement::{Delivery, Lease, Priority};

use super::{ClaimId, Error};

/// The longest id that is read.
const BYTES_MAX: usize = 8 * 1024;

/// A claim, without the job's contract. The names are short: they travel often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The job.
    #[serde(rename = "j")]
    pub job_id: JobId,
    /// Its pipeline.
    #[serde(rename = "p")]
    pub pipeline: PipelineName,
    /// The stage whose queue it was.
    #[serde(rename = "s")]
    pub stage: StageId,
    /// Which stage run.
    #[serde(rename = "v")]
    pub visit: u32,
    /// Which attempt.
    #[serde(rename = "a")]
    pub attempt: u32,
    /// The queue.
    #[serde(rename = "q")]
    pub queue: QueueName,
    /// The delivery.
    #[serde(rename = "d")]
    pub delivery_id: i64,
    /// What fences it.
    #[serde(rename = "t")]
    pub fence: u64,
    /// How often it was handed out.
    #[serde(rename = "n")]
    pub deliveries: u32,
    /// Its priority.
    #[serde(rename = "y")]
    pub priority: Priority,
    /// What it is told apart by at its stage, where it is.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// When it came into the queue.
    #[serde(rename = "e")]
    pub enqueued_at: Timestamp,
    /// When the attempt began.
    #[serde(rename = "b")]
    pub started_at: Timestamp,
    /// When its time is over.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub over_at: Option<Timestamp>,
    /// How long its lease lasts each time, in milliseconds.
    #[serde(rename = "l")]
    pub lease_ms: u64,
    /// Whose it is.
    #[serde(rename = "w")]
    pub worker: String,
}

impl Token {
    /// The text for it: JSON, byte by byte in hexadecimal digits.
    pub fn to_id(&self) -> ClaimId {
        use std::fmt::Write;
        // Texts and numbers can always be written.
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        let mut text = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            let _ = write!(text, "{byte:02x}");
        }
        ClaimId::new(text)
    }

    /// Reads the text.
    pub fn read(id: &ClaimId) -> Result<Self, Error> {
        let no_claim = || {
            let shown: String = id.as_str().chars().take(80).collect();
            Error::NoClaim(ClaimId::new(shown))
        };
        let text = id.as_str().as_bytes();
        if text.len() > BYTES_MAX || !text.len().is_multiple_of(2) {
            return Err(no_claim());
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let byte = |pair: &[u8]| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8);
        let bytes: Option<Vec<u8>> = text.chunks_exact(2).map(byte).collect();
        serde_json::from_slice(&bytes.ok_or_else(no_claim)?).map_err(|_| no_claim())
    }

    /// What the event of the attempt's beginning tells: whose it was, and under which lease.
    pub fn signature(&self) -> Value {
        json!({ "worker": self.worker, "lease": self.fence })
    }

    /// The right to settle it.
    pub fn lease(&self) -> Lease {
        let (delivery_id, token) = (self.delivery_id, self.fence);
        Lease { queue: self.queue.clone(), delivery_id, token }
    }

    /// The delivery with the contract that the store has of it.
    pub fn delivery(&self, body: Vec<u8>) -> Delivery {
        Delivery {
            lease: self.lease(),
            body,
            priority: self.priority,
            key: self.key.clone(),
            deliveries: self.deliveries,
            enqueued_at: self.enqueued_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_say_to_us_what_they_were_made_of() {
        let token = Token {
            job_id: "j-ü".into(),
            pipeline: "scans".into(),
            stage: "rectify".into(),
            visit: 3,
            attempt: 2,
            queue: "scans.rectify".into(),
            delivery_id: -7,
            fence: u64::MAX,
            deliveries: 4,
            priority: 10,
            key: Some(Key::new("ip:10.0.0.1").expect("a key")),
            enqueued_at: Timestamp(1),
            started_at: Timestamp(2),
            over_at: Some(Timestamp(9)),
            lease_ms: 30_000,
            worker: "w".into(),
        };
        assert_eq!(Token::read(&token.to_id()).expect("a claim"), token);
    }

    #[test]
    fn what_is_no_claim_is_said_so() {
        for text in ["", "abc", "zz", "7b7d", &"é".repeat(8), &"a".repeat(9_000)] {
            let error = Token::read(&ClaimId::new(text)).expect_err(text);
            assert!(matches!(error, Error::NoClaim(_)), "{error}");
            assert!(error.to_string().len() < 200);
        }
    }
}
