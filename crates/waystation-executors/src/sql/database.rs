//! The databases that there are.

use std::time::Duration;

use waystation_core::failure::Failure;

use super::Row;
use super::query::{Asked, Dialect};

/// A database.
#[derive(Clone)]
pub enum Database {
    /// A file.
    #[cfg(feature = "sqlite")]
    Sqlite(super::sqlite::File),
    /// A server.
    #[cfg(feature = "postgres")]
    Postgres(Box<super::postgres::Server>),
}

/// A connection to one.
pub enum Connection {
    /// To a file.
    #[cfg(feature = "sqlite")]
    Sqlite(super::sqlite::Connection),
    /// To a server.
    #[cfg(feature = "postgres")]
    Postgres(Box<super::postgres::Connection>),
}

impl Database {
    /// The database of a URL; nothing is opened yet. What it says has no password in it.
    pub fn of(url: &str, timeout: Duration) -> Result<Self, String> {
        let scheme = url.split_once("://").map_or(url, |(scheme, _)| scheme);
        match scheme {
            #[cfg(feature = "sqlite")]
            "sqlite" => super::sqlite::File::of(url, timeout).map(Self::Sqlite),
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => {
                super::postgres::Server::of(url, timeout).map(Box::new).map(Self::Postgres)
            }
            #[cfg(not(feature = "sqlite"))]
            "sqlite" => Err("this build has no sqlite (hint: a feature brings it)".to_owned()),
            #[cfg(not(feature = "postgres"))]
            "postgres" | "postgresql" => {
                Err("this build has no postgres (hint: a feature brings it)".to_owned())
            }
            _ => Err("unknown scheme (known: sqlite, postgres)".to_owned()),
        }
    }

    /// Opens it, to be read.
    pub async fn connect(&self) -> Result<Connection, Failure> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => file.open().await.map(Connection::Sqlite),
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => {
                server.connect().await.map(Box::new).map(Connection::Postgres)
            }
        }
    }
}

impl Connection {
    /// How it is written to.
    pub fn dialect(&self) -> Dialect {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => Dialect::Sqlite,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// What it answers.
    pub async fn rows(&mut self, asked: Asked) -> Result<Vec<Row>, Failure> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => connection.rows(asked).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => connection.rows(asked).await,
        }
    }
}
