//! JSON that comes from the command line, a file or stdin.

use std::io::{BufReader, Read};

use serde_json::Value;
use waystation::Params;
use waystation::core::contract::kind_of;

use super::exit::Error;

/// JSON objects, one after the other.
pub struct Objects {
    /// The option that named them, for messages.
    option: &'static str,
    origin: String,
    values: Box<dyn Iterator<Item = serde_json::Result<Value>>>,
    read: usize,
}

impl Objects {
    /// From the text itself, from `@file`, or from `-` for stdin.
    pub fn open(option: &'static str, text: &str) -> Result<Self, Error> {
        let (origin, reader): (String, Box<dyn Read>) = match text.strip_prefix('@') {
            Some(path) => {
                let file = std::fs::File::open(path).map_err(|error| {
                    Error::usage(format!("{option} @{path}: cannot read {path}: {error}"))
                })?;
                (format!(" @{path}"), Box::new(file))
            }
            None if text == "-" => (" -".to_owned(), Box::new(std::io::stdin())),
            None => (String::new(), Box::new(std::io::Cursor::new(text.to_owned()))),
        };
        let values = serde_json::Deserializer::from_reader(BufReader::new(reader)).into_iter();
        Ok(Self { option, origin, values: Box::new(values), read: 0 })
    }

    /// The next one.
    pub fn next(&mut self) -> Result<Option<Params>, Error> {
        let Some(value) = self.values.next() else { return Ok(None) };
        self.read += 1;
        let (option, origin) = (self.option, &self.origin);
        match value {
            Ok(Value::Object(object)) => Ok(Some(object)),
            Ok(other) => {
                let place =
                    if self.read == 1 { String::new() } else { format!(" value {}", self.read) };
                let kind = kind_of(&other);
                let message = format!("{option}{origin}{place} must be a JSON object, not {kind}");
                Err(Error::usage(message))
            }
            Err(error) if error.is_io() => {
                Err(Error::failed(format!("{option}{origin}: cannot read: {error}")))
            }
            Err(error) => Err(Error::usage(format!("{option}{origin} is not JSON: {error}"))),
        }
    }

    /// The only one.
    pub fn one(mut self) -> Result<Params, Error> {
        let (option, origin) = (self.option, self.origin.clone());
        let Some(object) = self.next()? else {
            return Err(Error::usage(format!("{option}{origin} is empty: a JSON object is due")));
        };
        match self.next()? {
            None => Ok(object),
            Some(_) => Err(Error::usage(format!("{option}{origin} holds more than one object"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_is_named() {
        let cases = [
            ("{", "is not JSON: EOF while parsing"),
            ("[1]", "must be a JSON object, not an array"),
            ("", "is empty"),
            ("{} {}", "holds more than one object"),
            ("{} 7", "value 2 must be a JSON object, not a number"),
            ("@/no/such", "cannot read /no/such"),
        ];
        for (text, expected) in cases {
            let error = Objects::open("--params", text).and_then(Objects::one);
            let error = format!("{:?}", error.expect_err(text));
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
