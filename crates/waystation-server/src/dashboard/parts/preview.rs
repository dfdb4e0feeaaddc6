//! Params that refer to something to look at: pictures, texts, tables.

use maud::{Markup, html};
use serde_json::Value;
use waystation_core::Params;

use super::value;
use crate::dashboard::href;

/// The longest text that is taken for a path.
const PATH_BYTES_MAX: usize = 1_000;

/// Something to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The param that refers to it.
    pub name: String,
    /// Where it can be had.
    pub address: String,
    /// How to look at it.
    pub kind: Kind,
}

/// How something is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As a picture.
    Picture,
    /// As a text.
    Text,
    /// As JSON.
    Json,
    /// As a table.
    Table,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        let (_, ending) = name.rsplit_once('.')?;
        Some(match &*ending.to_ascii_lowercase() {
            "png" | "jpg" | "jpeg" | "gif" | "webp" | "avif" | "bmp" => Self::Picture,
            "txt" | "log" | "md" | "yaml" | "yml" | "toml" | "xml" => Self::Text,
            "json" | "jsonl" | "geojson" => Self::Json,
            "csv" | "tsv" => Self::Table,
            _ => return None,
        })
    }

    fn word(self) -> &'static str {
        match self {
            Self::Picture => "picture",
            Self::Text => "text",
            Self::Json => "json",
            Self::Table => "table",
        }
    }
}

/// What the params refer to, in their order.
pub fn found(params: &Params) -> Vec<Preview> {
    params.iter().filter_map(|(name, value)| of(name, value)).collect()
}

fn of(name: &str, value: &Value) -> Option<Preview> {
    let name = name.to_owned();
    if let Some(blob) = value::blob(value) {
        let kind = Kind::of(blob.key.as_str())?;
        return Some(Preview { name, address: value::blob_address(&blob), kind });
    }
    let path = value.as_str().filter(|path| path.len() <= PATH_BYTES_MAX && path.contains('/'))?;
    if path.contains("://") || path.contains('\n') {
        return None;
    }
    let address = format!("/api/v1/files{}", href::query([("path", path)]));
    Some(Preview { name, address, kind: Kind::of(path)? })
}

/// Everything that the params refer to.
pub fn all(params: &Params) -> Markup {
    let found = found(params);
    html! { @if !found.is_empty() { div.previews { @for one in &found { (show(one)) } } } }
}

/// One of them.
pub fn show(preview: &Preview) -> Markup {
    let Preview { name, address, kind } = preview;
    html! {
        figure.preview {
            figcaption { a href=(address) target="_blank" rel="noopener" { (name) } }
            @if *kind == Kind::Picture {
                a href=(address) target="_blank" rel="noopener" tabindex="-1" {
                    img src=(address) alt={ "What param " (name) " refers to" } loading="lazy";
                }
            } @else {
                div.text data-preview=(kind.word()) data-from=(address) data-keep {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn files_and_blobs_with_a_known_ending_can_be_looked_at() {
        let params = json!({
            "path": "/photos/a b.JPG", "blob": {"$blob": "jobs/j/s/1/t.csv"}, "text": "a.png",
            "url": "https://example.org/a.png", "other": "/bin/true", "number": 7
        });
        let params = serde_json::from_value(params).expect("params");
        let found = found(&params);
        let told: Vec<_> = found.iter().map(|one| (&*one.address, one.kind)).collect();
        assert_eq!(
            told,
            [
                ("/api/v1/files?path=%2Fphotos%2Fa%20b.JPG", Kind::Picture),
                ("/api/v1/blobs/jobs/j/s/1/t.csv", Kind::Table),
            ]
        );
    }
}
