//! The index: documents and their chunks in a file of SQLite, with its full-text search.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use crate::query::Query;

/// How long one waits for another process that writes.
const BUSY: Duration = Duration::from_secs(30);
/// The words of a chunk that are shown around a hit.
const SNIPPET_WORDS: u32 = 24;

/// A text of a chunk knows its row alone, so that a document's chunks are found, and taken away,
/// without a look at all others.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS document (
    id INTEGER PRIMARY KEY,
    location TEXT NOT NULL UNIQUE,
    title TEXT,
    modified_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS chunk (
    id INTEGER PRIMARY KEY,
    document INTEGER NOT NULL REFERENCES document (id),
    number INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS chunk_of_document ON chunk (document);
CREATE VIRTUAL TABLE IF NOT EXISTS chunk_text
    USING fts5 (text, tokenize = 'unicode61 remove_diacritics 2');
";

/// Better matches have smaller ranks.
const SEARCH: &str = "
SELECT document.location, document.title, chunk.number,
       snippet(chunk_text, 0, ?3, ?4, ' … ', ?5)
FROM chunk_text
JOIN chunk ON chunk.id = chunk_text.rowid
JOIN document ON document.id = chunk.document
WHERE chunk_text MATCH ?1
ORDER BY chunk_text.rank, chunk.id
LIMIT ?2
";

/// A document that is to be found.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its path, or its URL.
    pub location: String,
    /// Its title, where it has one.
    pub title: Option<String>,
    /// When it was changed last, in milliseconds since 1970.
    pub modified_at: i64,
    /// What it says.
    pub chunks: Vec<Chunk>,
}

/// A piece of a document.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// What it says.
    pub text: String,
}

/// A chunk that fits a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// The document's path, or its URL.
    pub location: String,
    /// The document's title, where it has one.
    pub title: Option<String>,
    /// The number of the chunk in the document, from 0.
    pub chunk: u32,
    /// What it says around the words.
    pub snippet: String,
}

/// How words are set apart in a snippet.
#[derive(Clone, Copy, Debug)]
pub struct Marks {
    /// Before a word.
    pub before: &'static str,
    /// After it.
    pub after: &'static str,
}

/// An index that is open.
pub struct Index(Mutex<Connection>);

impl Index {
    /// Opens it, and makes it unless it is there.
    pub fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Puts a document in the place of what was known of it: the same one twice is there once. One
    /// that changed since it was read is left as it is known by now.
    pub fn put(&self, document: &Document) -> rusqlite::Result<()> {
        let mut connection = self.connection();
        let change = connection.transaction()?;
        let put = change.query_row(
            "INSERT INTO document (location, title, modified_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (location) DO UPDATE
             SET title = excluded.title, modified_at = excluded.modified_at
             WHERE excluded.modified_at >= document.modified_at
             RETURNING id",
            params![document.location, document.title, document.modified_at],
            |row| row.get::<_, i64>(0),
        );
        let Some(id) = put.optional()? else { return Ok(()) };
        change.execute(
            "DELETE FROM chunk_text WHERE rowid IN (SELECT id FROM chunk WHERE document = ?1)",
            [id],
        )?;
        change.execute("DELETE FROM chunk WHERE document = ?1", [id])?;
        for (number, chunk) in document.chunks.iter().enumerate() {
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            change.execute(
                "INSERT INTO chunk (document, number) VALUES (?1, ?2)",
                params![id, number],
            )?;
            change.execute(
                "INSERT INTO chunk_text (rowid, text) VALUES (?1, ?2)",
                params![change.last_insert_rowid(), chunk.text],
            )?;
        }
        change.commit()
    }

    /// The chunks that fit best.
    pub fn search(&self, query: &Query, limit: u32, marks: Marks) -> rusqlite::Result<Vec<Hit>> {
        let connection = self.connection();
        let mut search = connection.prepare_cached(SEARCH)?;
        let arguments = params![query.text(), limit, marks.before, marks.after, SNIPPET_WORDS];
        let hits = search.query_map(arguments, |row| {
            Ok(Hit {
                location: row.get(0)?,
                title: row.get(1)?,
                chunk: row.get(2)?,
                snippet: row.get(3)?,
            })
        })?;
        hits.collect()
    }

    /// How many documents and chunks there are.
    pub fn size(&self) -> rusqlite::Result<(u64, u64)> {
        let counted = "SELECT (SELECT count(*) FROM document), (SELECT count(*) FROM chunk)";
        self.connection().query_row(counted, [], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn connection(&self) -> std::sync::MutexGuard<'_, Connection> {
        // What a panic left half-done was rolled back.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Marks = Marks { before: "[", after: "]" };

    fn document(location: &str, modified_at: i64, texts: &[&str]) -> Document {
        let chunks = texts.iter().map(|text| Chunk { text: (*text).to_owned() }).collect();
        Document { location: location.to_owned(), title: None, modified_at, chunks }
    }

    fn found(index: &Index, query: &str) -> Vec<(String, u32, String)> {
        let query = Query::parse(query).expect("words");
        let hits = index.search(&query, 10, PLAIN).expect("it answers");
        hits.into_iter().map(|hit| (hit.location, hit.chunk, hit.snippet)).collect()
    }

    #[test]
    fn chunks_are_found_by_their_words_and_documents_are_there_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let index = Index::open(&folder.path().join("index.db")).expect("it opens");
        index.put(&document("a.pdf", 5, &["the first page", "bridges of Torino"])).expect("put");
        index.put(&document("b.pdf", 5, &["a café by the bridge"])).expect("put");
        let hit =
            |location: &str, chunk, snippet: &str| (location.to_owned(), chunk, snippet.to_owned());
        assert_eq!(found(&index, "torino"), [hit("a.pdf", 1, "bridges of [Torino]")]);
        assert_eq!(found(&index, "cafe"), [hit("b.pdf", 0, "a [café] by the bridge")]);
        assert_eq!(found(&index, "bridge*").len(), 2);
        assert_eq!(found(&index, "first torino"), []);

        index.put(&document("a.pdf", 4, &["what it was before"])).expect("put late");
        assert_eq!(found(&index, "torino").len(), 1);
        index.put(&document("a.pdf", 6, &["only this"])).expect("put again");
        assert_eq!(found(&index, "torino"), []);
        assert_eq!(found(&index, "this"), [hit("a.pdf", 0, "only [this]")]);
        assert_eq!(index.size().expect("counted"), (2, 2));
    }
}
