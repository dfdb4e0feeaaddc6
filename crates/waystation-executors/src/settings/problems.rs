//! From what does not fit a schema to what its reader may mend.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;
use waystation_core::Params;
use waystation_core::contract::kind_of;
use waystation_core::failure::truncate;
use waystation_core::pipeline::nearest;

use super::words;

/// The longest value that is shown, in bytes.
const SHOWN_BYTES_MAX: usize = 200;

/// The setting whose values are never shown, also where they are wrong.
const SECRET: &str = "secret";

/// Every problem: of the settings in their order, then those that are absent or unknown.
pub fn of(errors: &[ValidationError<'_>], settings: &Params, schema: &Value) -> Vec<String> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for error in errors {
        match error.kind() {
            // So a type without settings says that it knows none of these.
            Kind::FalseSchema => found.extend(settings.keys().map(|name| {
                let place = Place::new("", schema);
                (place.rank, unknown(&place, name))
            })),
            _ => tell(error, schema, &mut found),
        }
    }
    found.sort_by_key(|(rank, _)| *rank);
    let mut problems: Vec<String> = found.into_iter().map(|(_, problem)| problem).collect();
    problems.dedup();
    problems
}

fn tell(error: &ValidationError<'_>, schema: &Value, found: &mut Vec<(usize, String)>) {
    let place = Place::new(error.instance_path().as_str(), schema);
    match error.kind() {
        Kind::Required { property } => {
            let name = place.inner(property.as_str().unwrap_or_default());
            found.push((place.rank, format!("setting `{name}` is absent")));
        }
        Kind::AdditionalProperties { unexpected } => {
            for name in unexpected {
                let problem = unknown(&place, name);
                found.push((place.rank.saturating_add(1), problem));
            }
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            match nearest_way(context, error) {
                Some(errors) => errors.iter().for_each(|error| tell(error, schema, found)),
                None => found.push((place.rank, wrong(&place, error))),
            }
        }
        _ => found.push((place.rank, wrong(&place, error))),
    }
}

/// Of several ways to write a setting, the one that was taken: the value has its type, but
/// something within it does not fit, is absent or unknown.
fn nearest_way<'a>(
    ways: &'a [Vec<ValidationError<'static>>],
    error: &ValidationError<'_>,
) -> Option<&'a [ValidationError<'static>]> {
    let deeper = |errors: &&Vec<ValidationError<'static>>| {
        let depth = error.instance_path().as_str().len();
        let is_within = |one: &ValidationError<'_>| {
            let of_fields =
                matches!(one.kind(), Kind::Required { .. } | Kind::AdditionalProperties { .. });
            of_fields || one.instance_path().as_str().len() > depth
        };
        !errors.is_empty() && errors.iter().all(is_within)
    };
    ways.iter().find(deeper).map(Vec::as_slice)
}

fn wrong(place: &Place<'_>, error: &ValidationError<'_>) -> String {
    let value = error.instance();
    let expected = words::expected(place.schema);
    let told = format!("setting `{}` must be {expected}, not {}", place.name, kind_of(value));
    if place.name.starts_with(SECRET) {
        return told;
    }
    let mut shown = value.to_string();
    truncate(&mut shown, SHOWN_BYTES_MAX);
    format!("{told} ({shown})")
}

fn unknown(place: &Place<'_>, name: &str) -> String {
    let schemas = std::iter::once(place.schema).chain(ways(place.schema));
    let properties = schemas.filter_map(|schema| schema.get("properties")?.as_object());
    let known: Vec<&str> = properties.flat_map(|all| all.keys()).map(String::as_str).collect();
    let list = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let meant = nearest(name, known.iter().copied());
    let meant = meant.map_or_else(String::new, |meant| format!("did you mean `{meant}`? "));
    format!("unknown setting `{}` ({meant}known: {list})", place.inner(name))
}

/// Where in the settings something stands.
struct Place<'a> {
    /// As it is written: `retry.delay`, `patterns[0]`.
    name: String,
    /// What may stand there.
    schema: &'a Value,
    /// Which of the settings it belongs to, in their order.
    rank: usize,
}

impl<'a> Place<'a> {
    fn new(pointer: &str, schema: &'a Value) -> Self {
        let mut place = Self { name: String::new(), schema, rank: usize::MAX - 1 };
        for (depth, part) in pointer.split('/').skip(1).enumerate() {
            let part = part.replace("~1", "/").replace("~0", "~");
            if depth == 0 {
                let properties = schema.get("properties").and_then(Value::as_object);
                let rank = properties.and_then(|all| all.keys().position(|name| *name == part));
                place.rank = rank.unwrap_or(usize::MAX - 1);
            }
            let is_index = part.bytes().all(|byte| byte.is_ascii_digit());
            place.name =
                if is_index { format!("{}[{part}]", place.name) } else { place.inner(&part) };
            place.schema = within(place.schema, &part).unwrap_or(&Value::Null);
        }
        place
    }

    fn inner(&self, name: &str) -> String {
        if self.name.is_empty() { name.to_owned() } else { format!("{}.{name}", self.name) }
    }
}

/// The schema of a part of a value that has this schema.
fn within<'a>(schema: &'a Value, part: &str) -> Option<&'a Value> {
    std::iter::once(schema).chain(ways(schema)).find_map(|schema| {
        let property = schema.get("properties").and_then(|all| all.get(part));
        let item = || schema.get("items").filter(|items| items.is_object());
        let other = || schema.get("additionalProperties").filter(|other| other.is_object());
        property.or_else(item).or_else(other)
    })
}

/// The several ways to write a value, where there are such.
fn ways(schema: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf"].iter().filter_map(|key| schema.get(key)?.as_array()).flatten()
}
