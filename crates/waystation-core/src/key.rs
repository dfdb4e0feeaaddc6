//! The key of a job at a stage: jobs of one key run there one at a time, in the order that they
//! came, and on a broker in the partition that the key falls into.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;
use std::num::NonZeroU32;
use std::sync::Arc;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

/// The longest key, in bytes. Brokers carry it in a header, and databases in an index.
pub const BYTES_MAX: usize = 255;

/// How many slots keys fall into where a broker routes them. A queue has no more partitions.
pub const SLOTS: u32 = 256;

/// What jobs are told apart by at a stage that takes them one at a time.
///
/// IPv6 addresses that stand for IPv4 ones are written in two ways, `::ffff:1.2.3.4` and
/// `::ffff:102:304`: Python prints the first one from 3.13 on, and the second one before. Two
/// spellings would be two keys, in two partitions. Where the text, or what follows its first
/// colon, is such an address, a key is of the first one (RFC 5952, section 5).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(Arc<str>);

/// Why a text is no key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is too long.
    #[error("a key of {bytes} bytes is longer than the {BYTES_MAX} allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It holds what no database takes, or nobody could read.
    #[error("a key holds no control characters, as `{}` does", .text.escape_debug())]
    Control {
        /// The text.
        text: String,
    },
}

impl Key {
    /// The key of this text.
    pub fn new(text: &str) -> Result<Self, Error> {
        let text = normalised(text);
        if text.len() > BYTES_MAX {
            return Err(Error::TooLong { bytes: text.len() });
        }
        if text.chars().any(char::is_control) {
            return Err(Error::Control { text: text.into_owned() });
        }
        Ok(Self(text.into()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its slot, below [`SLOTS`]: a broker routes by it, whatever the number of partitions is.
    pub fn slot(&self) -> u32 {
        u32::from(hash(&self.0)) % SLOTS
    }

    /// Which of so many partitions it falls into, counted from 0.
    pub fn partition(&self, partitions: NonZeroU32) -> u32 {
        u32::from(hash(&self.0)) % partitions
    }
}

/// DP3's hash of a key: the last four hexadecimal digits of the MD5 of its text in UTF-8. Frozen:
/// whoever writes and whoever reads must agree on it.
pub fn hash(text: &str) -> u16 {
    let digest = Md5::digest(text.as_bytes());
    u16::from_be_bytes([digest[14], digest[15]])
}

/// The one spelling of a text that is an address with two, or has one after its first colon.
pub fn normalised(text: &str) -> Cow<'_, str> {
    let address = |text: &str| {
        let address: Ipv6Addr = text.parse().ok()?;
        address.to_ipv4_mapped().map(|mapped| format!("::ffff:{mapped}"))
    };
    let after_colon = || {
        let (kind, rest) = text.split_once(':')?;
        Some(format!("{kind}:{}", address(rest)?))
    };
    address(text).or_else(after_colon).map_or(Cow::Borrowed(text), Cow::Owned)
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for Key {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::new(&text)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::new(text).expect(text)
    }

    #[test]
    fn hash_is_that_of_dp3() {
        // (key, hash, partitions of 2, 3, 4, 7, 16).
        let vectors: [(&str, u16, [u32; 5]); 14] = [
            ("ip:192.168.0.1", 50631, [1, 0, 3, 0, 7]),
            ("ip:10.0.0.1", 18130, [0, 1, 2, 0, 2]),
            ("ip:2001:db8::1", 634, [0, 1, 2, 4, 10]),
            ("device:device-123", 44267, [1, 2, 3, 6, 11]),
            ("mac:aa:bb:cc:dd:ee:ff", 11198, [0, 2, 2, 5, 14]),
            ("A:1", 32483, [1, 2, 3, 3, 3]),
            ("A:2", 5907, [1, 0, 3, 6, 3]),
            ("test_entity_type:abc", 39326, [0, 2, 2, 0, 14]),
            ("user:žluť", 41587, [1, 1, 3, 0, 3]),
            ("host:", 11098, [0, 1, 2, 3, 10]),
            ("bus:Ω", 30074, [0, 2, 2, 2, 10]),
            ("B:b/ž", 2385, [1, 0, 1, 5, 1]),
            ("", 17022, [0, 0, 2, 5, 14]),
            ("A:1-B:q", 58031, [1, 2, 3, 1, 15]),
        ];
        for (text, hash, partitions) in vectors {
            assert_eq!(super::hash(text), hash, "{text}");
            let numbers = [2, 3, 4, 7, 16]
                .map(|number| key(text).partition(NonZeroU32::new(number).expect("above zero")));
            assert_eq!(numbers, partitions, "{text}");
        }
    }

    #[test]
    fn addresses_with_two_spellings_have_one_key() {
        for (text, expected) in [
            ("ip:::ffff:102:304", "ip:::ffff:1.2.3.4"),
            ("ip:::ffff:1.2.3.4", "ip:::ffff:1.2.3.4"),
            ("::ffff:102:304", "::ffff:1.2.3.4"),
            ("ip:2001:DB8::1", "ip:2001:DB8::1"),
            ("ip:1.2.3.4", "ip:1.2.3.4"),
        ] {
            assert_eq!(key(text).as_str(), expected, "{text}");
        }
        assert_eq!(hash(key("ip:::ffff:102:304").as_str()), 2144);
    }

    #[test]
    fn keys_have_a_limit() {
        assert!(Key::new(&"k".repeat(BYTES_MAX)).is_ok());
        let long = Key::new(&"k".repeat(BYTES_MAX + 1));
        assert_eq!(long, Err(Error::TooLong { bytes: BYTES_MAX + 1 }));
        let error = Key::new("a\0b").expect_err("a control character").to_string();
        assert_eq!(error, "a key holds no control characters, as `a\\0b` does");
    }
}
