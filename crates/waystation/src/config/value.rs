//! One value: from how it was written to where it goes.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde_json::Value;

use super::settings::Settings;
use super::shown;
use super::table::{Kind, Setting};

/// Why a value is refused: what it is, without its secrets.
#[derive(Debug)]
pub struct Refused(pub String);

impl Setting {
    /// Puts a value of a file, or the text of a variable or flag, where it belongs. Gives it as it
    /// may be shown.
    pub(super) fn put(&self, settings: &mut Settings, value: &Value) -> Result<Value, Refused> {
        let put = match &self.kind {
            // Whoever opens a URL says best what is wrong with it.
            Kind::Text(put) | Kind::Secret(put) | Kind::Url(put) => {
                text(value).map(|text| put(settings, text))
            }
            Kind::Whole(least, most, put) => {
                whole(value, *least, *most).map(|number| put(settings, number))
            }
            Kind::Seconds(least, most, put) => {
                seconds(value, *least, *most).map(|time| put(settings, time))
            }
            Kind::YesNo(put) => yes_no(value).map(|yes| put(settings, yes)),
            Kind::Word(words, put) => word(value, words).map(|word| put(settings, word)),
            Kind::Texts(put) => texts(value).map(|texts| put(settings, texts)),
            Kind::Address(put) => address(value).map(|address| put(settings, address)),
        };
        let shown = self.shown(value);
        match put {
            Some(()) => Ok(shown),
            None => Err(Refused(match &shown {
                Value::String(text) => format!("`{text}`"),
                other => format!("`{other}`"),
            })),
        }
    }

    /// A value as it may be shown.
    fn shown(&self, value: &Value) -> Value {
        match (&self.kind, value) {
            (Kind::Secret(_), _) => Value::from(shown::HIDDEN),
            (Kind::Url(_), Value::String(url)) => Value::from(shown::url(url)),
            (Kind::Whole(..) | Kind::Seconds(..), Value::String(text)) => {
                text.trim().parse().map_or_else(|_| value.clone(), Value::Number)
            }
            (Kind::YesNo(_), _) => yes_no(value).map_or_else(|| value.clone(), Value::from),
            (Kind::Word(words, _), _) => {
                word(value, words).map_or_else(|| value.clone(), Value::from)
            }
            (Kind::Texts(_), _) => texts(value).map_or_else(|| value.clone(), Value::from),
            _ => value.clone(),
        }
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn whole(value: &Value, least: u64, most: u64) -> Option<u64> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    };
    number.filter(|number| (least..=most).contains(number))
}

fn seconds(value: &Value, least: f64, most: f64) -> Option<Duration> {
    let seconds = match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    let seconds = seconds.filter(|seconds: &f64| (least..=most).contains(seconds))?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn yes_no(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(yes) => Some(*yes),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn word(value: &Value, words: &[(&'static str, &[&str])]) -> Option<&'static str> {
    let text = value.as_str()?.trim().to_ascii_lowercase();
    let found = words.iter().find(|(word, others)| *word == text || others.contains(&&*text));
    found.map(|(word, _)| *word)
}

/// A list, or its items in one text with commas between them.
fn texts(value: &Value) -> Option<Vec<String>> {
    let texts: Vec<String> = match value {
        Value::String(text) => text.split(',').map(|item| item.trim().to_owned()).collect(),
        Value::Array(items) => {
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>()?
        }
        _ => return None,
    };
    texts.iter().all(|text| !text.is_empty()).then_some(texts)
}

fn address(value: &Value) -> Option<IpAddr> {
    match value.as_str()?.trim() {
        "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
        text => text.trim_matches(['[', ']']).parse().ok(),
    }
}
