//! The user's query, asked page by page.

use std::fmt;

use serde_json::{Value, json};
use waystation_core::source::BATCH_MAX;

/// Stands in a query for the watermark that the look begins at.
const WATERMARK: &str = "$watermark";

/// A query with the columns by which its rows are put in order.
pub struct Query {
    text: String,
    id: String,
    watermark: String,
}

/// Where rows are read from.
#[derive(Clone, Debug, PartialEq)]
pub enum From {
    /// All of them.
    Least,
    /// Those with this watermark or a later one.
    Watermark(Value),
    /// Those behind this one.
    Row(Value, Value),
}

/// How a database writes things.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// As SQLite.
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "there is none"))]
    Sqlite,
    /// As PostgreSQL.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "there is none"))]
    Postgres,
}

/// What a database is asked. Its first two columns are the watermark and the id.
#[derive(Debug, PartialEq)]
pub struct Asked {
    /// The statement.
    pub text: String,
    /// The values of its parameters.
    pub values: Vec<Value>,
}

impl Query {
    /// A query whose rows have these columns.
    pub fn new(text: &str, id: String, watermark: String) -> Self {
        let text = text.trim().trim_end_matches(';').to_owned();
        Self { text, id, watermark }
    }

    /// Whether it says itself from which watermark on it reads.
    pub fn asks_for_watermark(&self) -> bool {
        self.text.contains(WATERMARK)
    }

    /// The page that begins there, in a look that began at this watermark.
    pub fn page(&self, dialect: Dialect, began: Option<&Value>, from: &From) -> Asked {
        let mut values = Vec::new();
        let mut bind = |value: &Value| {
            values.push(value.clone());
            format!("{}{}", dialect.mark(), values.len())
        };
        let mut text = self.text.clone();
        if let Some(began) = began.filter(|_| self.asks_for_watermark()) {
            text = text.replace(WATERMARK, &bind(began));
        }
        let (id, watermark) = (quoted(&self.id), quoted(&self.watermark));
        let behind = match from {
            From::Least => String::new(),
            From::Watermark(least) => format!(" AND q.{watermark} >= {}", bind(least)),
            From::Row(last, last_id) => {
                let (last, last_id) = (bind(last), bind(last_id));
                format!(" AND (q.{watermark}, q.{id}) > ({last}, {last_id})")
            }
        };
        let columns = match dialect {
            Dialect::Sqlite => format!("q.{watermark}, q.{id}, q.*"),
            Dialect::Postgres => {
                format!("q.{watermark}::text, q.{id}::text, row_to_json(q)::text")
            }
        };
        // The line's end closes a comment at the end of the query.
        let text = format!(
            "SELECT {columns} FROM ({text}\n) AS q WHERE q.{watermark} IS NOT NULL \
             AND q.{id} IS NOT NULL{behind} ORDER BY q.{watermark}, q.{id} LIMIT {BATCH_MAX}"
        );
        Asked { text, values }
    }
}

impl From {
    /// Reads what was written.
    pub fn parse(text: &str) -> Option<Self> {
        match serde_json::from_str::<Vec<Value>>(text).ok()?.as_slice() {
            [watermark] => Some(Self::Watermark(watermark.clone())),
            [watermark, id] => Some(Self::Row(watermark.clone(), id.clone())),
            _ => None,
        }
    }

    /// The watermark of it.
    pub fn watermark(&self) -> Option<&Value> {
        match self {
            Self::Least => None,
            Self::Watermark(watermark) | Self::Row(watermark, _) => Some(watermark),
        }
    }
}

/// As JSON: `[]`, `[WATERMARK]` or `[WATERMARK, ID]`.
impl fmt::Display for From {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Least => formatter.write_str("[]"),
            Self::Watermark(watermark) => write!(formatter, "{}", json!([watermark])),
            Self::Row(watermark, id) => write!(formatter, "{}", json!([watermark, id])),
        }
    }
}

impl Dialect {
    fn mark(self) -> char {
        match self {
            Self::Sqlite => '?',
            Self::Postgres => '$',
        }
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_put_around_the_query() {
        let query = Query::new("SELECT * FROM t -- all;", "no\"1".to_owned(), "at".to_owned());
        let asked = query.page(Dialect::Sqlite, None, &From::Row(json!(7), json!("a")));
        assert_eq!(
            asked.text,
            "SELECT q.\"at\", q.\"no\"\"1\", q.* FROM (SELECT * FROM t -- all\n) AS q \
             WHERE q.\"at\" IS NOT NULL AND q.\"no\"\"1\" IS NOT NULL \
             AND (q.\"at\", q.\"no\"\"1\") > (?1, ?2) ORDER BY q.\"at\", q.\"no\"\"1\" LIMIT 500"
        );
        assert_eq!(asked.values, [json!(7), json!("a")]);
    }

    #[test]
    fn the_watermark_stands_where_the_query_wants_it() {
        let text = "SELECT * FROM t WHERE at >= $watermark OR at2 >= $watermark;";
        let query = Query::new(text, "id".to_owned(), "at".to_owned());
        let (began, from) = (json!("2026-01-01"), From::Watermark(json!("2026-01-02")));
        let asked = query.page(Dialect::Postgres, Some(&began), &from);
        assert!(asked.text.contains("WHERE at >= $1 OR at2 >= $1\n) AS q"), "{}", asked.text);
        assert!(asked.text.contains("AND q.\"at\" >= $2 ORDER"), "{}", asked.text);
        assert_eq!(asked.values.len(), 2);
    }

    #[test]
    fn places_survive_being_written() {
        for from in [From::Watermark(json!(1)), From::Row(json!("x"), json!(2))] {
            assert_eq!(From::parse(&from.to_string()), Some(from));
        }
        assert_eq!(From::parse("nonsense"), None);
    }
}
