//! Numbers for names that repeat in every row.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

/// The numbers that this process has met. Numbers made in a transaction that was rolled back are
/// forgotten with [`Names::forget`].
#[derive(Default)]
pub struct Names {
    numbers: HashMap<String, i64>,
    texts: HashMap<i64, Arc<str>>,
}

impl Names {
    /// The number of a name, which is made when it is new. Needs a write transaction.
    pub fn number(&mut self, connection: &Connection, text: &str) -> rusqlite::Result<i64> {
        if let Some(number) = self.numbers.get(text) {
            return Ok(*number);
        }
        let number = match find(connection, text)? {
            Some(number) => number,
            None => connection
                .prepare_cached("INSERT INTO name (text) VALUES (?1) RETURNING name_id")?
                .query_row([text], |row| row.get(0))?,
        };
        self.numbers.insert(text.to_owned(), number);
        Ok(number)
    }

    /// The name of a number that is in a row.
    pub fn text(&mut self, connection: &Connection, number: i64) -> rusqlite::Result<Arc<str>> {
        if let Some(text) = self.texts.get(&number) {
            return Ok(Arc::clone(text));
        }
        let text: Arc<str> = connection
            .prepare_cached("SELECT text FROM name WHERE name_id = ?1")?
            .query_row([number], |row| row.get(0))?;
        self.texts.insert(number, Arc::clone(&text));
        Ok(text)
    }

    /// Forgets every number.
    pub fn forget(&mut self) {
        self.numbers.clear();
        self.texts.clear();
    }
}

/// The number of a name that may not exist.
pub fn find(connection: &Connection, text: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT name_id FROM name WHERE text = ?1")?
        .query_row([text], |row| row.get(0))
        .optional()
}
