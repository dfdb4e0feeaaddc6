//! Ids of entities. On the wire they are numbers and texts; which texts are addresses is known to
//! DP3's model alone.

use std::collections::HashMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::Serialize;
use serde_json::Value;

use super::fields::Wrong;

/// The id of an entity, in the one spelling that DP3 has for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum Eid {
    /// A whole number.
    Number(i64),
    /// A text, an address among them.
    Text(String),
}

/// What the ids of an entity type are, as its `id_data_type` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EidKind {
    /// `string`: any text.
    Text,
    /// `int`: a whole number.
    Number,
    /// `ipv4`.
    Ipv4,
    /// `ipv6`.
    Ipv6,
    /// `mac`: six bytes, with `:` or `-` between them.
    Mac,
}

/// What is known of a model: the kinds of ids of entity types.
///
/// Ids of types that are not in it are taken as they come. DP3 itself writes each in one spelling.
#[derive(Clone, Debug, Default)]
pub struct Kinds {
    known: HashMap<String, EidKind>,
}

impl EidKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Text, Self::Number, Self::Ipv4, Self::Ipv6, Self::Mac];

    /// DP3's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Number => "int",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Mac => "mac",
        }
    }

    /// The kind of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The id that a text stands for, in its one spelling.
    fn spell(self, text: &str) -> Option<Eid> {
        Some(match self {
            Self::Text => Eid::Text(text.to_owned()),
            Self::Number => Eid::Number(text.trim().parse().ok()?),
            Self::Ipv4 => Eid::ipv4(text.parse().ok()?),
            Self::Ipv6 => match text.split_once('%') {
                None => Eid::ipv6(text.parse().ok()?),
                Some((address, zone)) if !zone.is_empty() => {
                    Eid::Text(format!("{}%{zone}", text_of(address.parse().ok()?)))
                }
                Some(_) => return None,
            },
            Self::Mac => Eid::Text(mac(text)?),
        })
    }
}

impl Kinds {
    /// The same, with the kind of one more type.
    #[must_use]
    pub fn with(mut self, etype: &str, kind: EidKind) -> Self {
        self.known.insert(etype.to_owned(), kind);
        self
    }

    /// Reads the id of an entity of this type.
    pub(super) fn read(&self, field: &str, etype: &str, value: &Value) -> Result<Eid, Wrong> {
        let kind = self.known.get(etype).copied();
        let read = match (kind, value) {
            (None, Value::String(text)) => Some(Eid::Text(text.clone())),
            (Some(kind), Value::String(text)) => kind.spell(text),
            (None | Some(EidKind::Number), Value::Number(number)) => {
                number.as_i64().map(Eid::Number)
            }
            // What DP3 does, too.
            (Some(EidKind::Text), Value::Number(number)) => {
                number.as_i64().map(|number| Eid::Text(number.to_string()))
            }
            _ => None,
        };
        read.ok_or_else(|| {
            let due = kind.map_or("a text or a whole number", |kind| match kind {
                EidKind::Text => "a text",
                EidKind::Number => "a whole number",
                EidKind::Ipv4 => "an IPv4 address",
                EidKind::Ipv6 => "an IPv6 address",
                EidKind::Mac => "a MAC address",
            });
            Wrong::new(field, value, format!("{due} is due for an id of `{etype}`"))
        })
    }

    /// The other spelling of an id of which it is not known what it is, where it has one: two
    /// workers would take it for two entities.
    pub fn second_spelling(&self, etype: &str, eid: &Eid) -> Option<(EidKind, Eid)> {
        let Eid::Text(text) = eid else { return None };
        if self.known.contains_key(etype) {
            return None;
        }
        let mut addresses = [EidKind::Ipv4, EidKind::Ipv6, EidKind::Mac].into_iter();
        let spelt = addresses.find_map(|kind| Some((kind, kind.spell(text)?)));
        spelt.filter(|(_, spelt)| spelt != eid)
    }
}

impl Eid {
    /// The id of an entity that is known by an IPv4 address.
    pub fn ipv4(address: Ipv4Addr) -> Self {
        Self::Text(address.to_string())
    }

    /// The id of an entity that is known by an IPv6 address. One that stands for an IPv4 address is
    /// written as `::ffff:1.2.3.4`, as Python does from 3.13 on.
    pub fn ipv6(address: Ipv6Addr) -> Self {
        Self::Text(text_of(address))
    }

    /// The id of an entity that is known by a MAC address; `None` when the text is none.
    pub fn mac(text: &str) -> Option<Self> {
        mac(text).map(Self::Text)
    }
}

impl fmt::Display for Eid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(formatter),
            Self::Text(text) => formatter.write_str(text),
        }
    }
}

impl From<i64> for Eid {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Eid {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// As Python writes them from 3.13 on. What stands for an IPv4 address is not left to the version
/// of a library: workers are found by this text.
fn text_of(address: Ipv6Addr) -> String {
    match address.to_ipv4_mapped() {
        Some(mapped) => format!("::ffff:{mapped}"),
        None => address.to_string(),
    }
}

/// Seventeen letters: six pairs of digits with one and the same mark between them.
fn mac(text: &str) -> Option<String> {
    let mark = text.chars().nth(2).filter(|mark| ":-".contains(*mark))?;
    let pairs: Vec<&str> = text.split(mark).collect();
    let is_pair = |pair: &&str| pair.len() == 2 && pair.chars().all(|one| one.is_ascii_hexdigit());
    let right = pairs.len() == 6 && pairs.iter().all(is_pair);
    right.then(|| pairs.join(":").to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_have_one_spelling_where_their_kind_is_known() {
        for (kind, value, expected) in [
            ("mac", json!("AA-BB-CC-DD-EE-FF"), Some(json!("aa:bb:cc:dd:ee:ff"))),
            ("mac", json!("aa:bb:cc:dd:ee:ff"), Some(json!("aa:bb:cc:dd:ee:ff"))),
            ("mac", json!("aa:bb-cc:dd:ee:ff"), None),
            ("mac", json!("aabbccddeeff"), None),
            ("ipv4", json!("10.0.0.1"), Some(json!("10.0.0.1"))),
            ("ipv4", json!("010.0.0.1"), None),
            ("ipv4", json!("::1"), None),
            ("ipv6", json!("2001:DB8:0:0::1"), Some(json!("2001:db8::1"))),
            ("ipv6", json!("::ffff:102:304"), Some(json!("::ffff:1.2.3.4"))),
            ("ipv6", json!("FE80::1%eth0"), Some(json!("fe80::1%eth0"))),
            ("ipv6", json!("1.2.3.4"), None),
            ("int", json!("7"), Some(json!(7))),
            ("int", json!(7), Some(json!(7))),
            ("int", json!("x"), None),
            ("int", json!(1.5), None),
            ("int", json!(true), None),
            ("string", json!(7), Some(json!("7"))),
            ("string", json!("AA-BB-CC-DD-EE-FF"), Some(json!("AA-BB-CC-DD-EE-FF"))),
            ("string", json!(null), None),
        ] {
            let known = EidKind::parse(kind).expect(kind);
            let read = Kinds::default().with("e", known).read("eid", "e", &value);
            let read = read.map(|eid| serde_json::to_value(eid).expect("JSON"));
            assert_eq!(read.ok(), expected, "{kind} {value}");
        }
    }

    #[test]
    fn ids_of_unknown_types_are_taken_as_they_come_and_second_spellings_are_found() {
        let kinds = Kinds::default();
        for (text, second) in [
            ("AA-BB-CC-DD-EE-FF", Some("aa:bb:cc:dd:ee:ff")),
            ("aa:bb:cc:dd:ee:ff", None),
            ("2001:DB8::1", Some("2001:db8::1")),
            ("::ffff:102:304", Some("::ffff:1.2.3.4")),
            ("10.0.0.1", None),
            ("b/ž", None),
        ] {
            let eid = kinds.read("eid", "e", &json!(text)).expect(text);
            assert_eq!(eid, Eid::from(text));
            let found = kinds.second_spelling("e", &eid).map(|(_, eid)| eid.to_string());
            assert_eq!(found.as_deref(), second, "{text}");
        }
        let told = kinds.clone().with("e", EidKind::Text);
        assert_eq!(told.second_spelling("e", &Eid::from("2001:DB8::1")), None);
        assert_eq!(Eid::mac("AA-BB-CC-DD-EE-FF"), Some(Eid::from("aa:bb:cc:dd:ee:ff")));
    }
}
