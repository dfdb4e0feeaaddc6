//! Values that go with a statement, and what they are on the server.
//!
//! The type goes along so that a statement can be sent without having been prepared, and the
//! value is kept as its bytes so that a request may outlive what it was made of.

use std::error::Error;

use bytes::{BufMut, Bytes, BytesMut};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// A value of one of the types that our tables have.
pub trait Parameter: ToSql + Sync {
    /// Its type on the server.
    fn kind(&self) -> Type;
}

/// Parameters of a statement.
pub type Parameters<'a> = &'a [&'a (dyn Parameter + Sync)];

macro_rules! kinds {
    ($($rust:ty => $one:ident, $many:ident;)*) => {$(
        impl Parameter for $rust {
            fn kind(&self) -> Type {
                Type::$one
            }
        }
        impl Parameter for Option<$rust> {
            fn kind(&self) -> Type {
                Type::$one
            }
        }
        impl Parameter for Vec<$rust> {
            fn kind(&self) -> Type {
                Type::$many
            }
        }
        impl Parameter for Option<Vec<$rust>> {
            fn kind(&self) -> Type {
                Type::$many
            }
        }
        impl Parameter for Vec<Option<$rust>> {
            fn kind(&self) -> Type {
                Type::$many
            }
        }
    )*};
}

kinds! {
    bool => BOOL, BOOL_ARRAY;
    i16 => INT2, INT2_ARRAY;
    i32 => INT4, INT4_ARRAY;
    i64 => INT8, INT8_ARRAY;
    &str => TEXT, TEXT_ARRAY;
    String => TEXT, TEXT_ARRAY;
    &[u8] => BYTEA, BYTEA_ARRAY;
}

/// A value as its bytes.
#[derive(Debug)]
pub struct Encoded {
    /// Its type on the server.
    pub kind: Type,
    /// The bytes, nothing for a null, or why the value has none.
    bytes: Result<Option<Bytes>, String>,
}

impl Encoded {
    /// Takes the values' bytes.
    pub fn all(parameters: Parameters<'_>) -> Vec<Self> {
        let encode = |value: &&(dyn Parameter + Sync)| {
            let (kind, mut bytes) = (value.kind(), BytesMut::new());
            let bytes = match value.to_sql_checked(&kind, &mut bytes) {
                Ok(IsNull::No) => Ok(Some(bytes.freeze())),
                Ok(IsNull::Yes) => Ok(None),
                Err(error) => Err(error.to_string()),
            };
            Self { kind, bytes }
        };
        parameters.iter().map(encode).collect()
    }
}

impl ToSql for Encoded {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match &self.bytes {
            Ok(Some(bytes)) => out.put_slice(bytes),
            Ok(None) => return Ok(IsNull::Yes),
            Err(message) => return Err(message.clone().into()),
        }
        Ok(IsNull::No)
    }

    /// Statements are written for the types that their parameters have.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
