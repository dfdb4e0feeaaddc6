//! Values made of params: JSON whose texts are templates. A text that is one param alone becomes
//! what that param is, a list or a number too.

use serde_json::Value;
use waystation_core::Params;
use waystation_core::failure::Failure;

use crate::template::{Template, Values};

/// A value with places for params.
#[derive(Clone, Debug)]
pub enum Shape {
    /// Without any.
    Plain(Value),
    /// A text.
    Text(Template),
    /// A list of such.
    List(Vec<Self>),
    /// An object of such.
    Object(Vec<(String, Self)>),
}

/// What becomes of a text that is one param alone, which is absent.
#[derive(Clone, Copy)]
enum Absent {
    Fails,
    IsLeftOut,
}

impl Shape {
    /// Reads it; what is wrong is named by where it stands.
    pub fn parse(place: &str, value: &Value) -> Result<Self, String> {
        Ok(match value {
            Value::String(text) => {
                let template = Template::parse(text);
                Self::Text(template.map_err(|error| format!("setting `{place}` has {error}"))?)
            }
            Value::Array(items) => {
                let items = items.iter().enumerate();
                let shapes = items.map(|(at, item)| Self::parse(&format!("{place}[{at}]"), item));
                Self::List(shapes.collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => {
                let shapes = fields.iter().map(|(name, value)| {
                    Ok((name.clone(), Self::parse(&format!("{place}.{name}"), value)?))
                });
                Self::Object(shapes.collect::<Result<_, String>>()?)
            }
            other => Self::Plain(other.clone()),
        })
    }

    /// The value, with every param that it names.
    pub fn fill(&self, what: &str, values: &Values<'_>) -> Result<Value, Failure> {
        self.made(what, values, Absent::Fails).map(Option::unwrap_or_default)
    }

    /// The value with those params that there are; `None` where it is one that is absent.
    pub fn fill_known(&self, what: &str, values: &Values<'_>) -> Result<Option<Value>, Failure> {
        self.made(what, values, Absent::IsLeftOut)
    }

    fn made(
        &self,
        what: &str,
        values: &Values<'_>,
        absent: Absent,
    ) -> Result<Option<Value>, Failure> {
        Ok(Some(match self {
            Self::Plain(value) => value.clone(),
            Self::Text(template) => match (template.only(), absent) {
                (None, _) => Value::String(template.fill(what, values)?),
                (Some(name), Absent::Fails) => values.need(what, name)?.into_owned(),
                (Some(name), Absent::IsLeftOut) => {
                    return Ok(values.get(name).map(std::borrow::Cow::into_owned));
                }
            },
            Self::List(items) => {
                let items = items.iter().map(|item| item.made(what, values, absent));
                items.filter_map(Result::transpose).collect::<Result<_, _>>()?
            }
            Self::Object(fields) => {
                let mut made = Params::new();
                for (name, shape) in fields {
                    if let Some(value) = shape.made(what, values, absent)? {
                        made.insert(name.clone(), value);
                    }
                }
                Value::Object(made)
            }
        }))
    }
}
