//! Values of params, as people read them.

use maud::{Markup, html};
use serde_json::Value;
use waystation_core::blob::BlobRef;
use waystation_core::{Params, failure};

use crate::dashboard::href;

/// The longest text that is shown without being asked for.
const SHORT_BYTES_MAX: usize = 160;
/// The longest that is shown at all; the rest is there through the API.
const LONG_BYTES_MAX: usize = 64 * 1024;

/// A value in a line, which opens when it is long.
pub fn inline(value: &Value) -> Markup {
    if let Some(blob) = blob(value) {
        return html! { a.blob href=(blob_address(&blob)) { (blob.key.as_str()) } (size(&blob)) };
    }
    let whole = text(value);
    if whole.len() <= SHORT_BYTES_MAX {
        return html! { code.value { (whole) } };
    }
    let mut short = whole;
    failure::truncate(&mut short, SHORT_BYTES_MAX);
    html! {
        details.long {
            summary { code.value { (short) } }
            pre.json tabindex="0" { (pretty(value)) }
        }
    }
}

/// All params, one a line.
pub fn params(params: &Params) -> Markup {
    html! {
        @if params.is_empty() { p.faint { "none" } } @else {
            dl.params {
                @for (name, value) in params { div { dt { (name) } dd { (inline(value)) } } }
            }
        }
    }
}

/// JSON with an indent, cut where it is too long for a page.
pub fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    failure::truncate(&mut text, LONG_BYTES_MAX);
    text
}

/// A text as it is, anything else as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The blob that a value refers to.
pub fn blob(value: &Value) -> Option<BlobRef> {
    value.get("$blob")?;
    serde_json::from_value(value.clone()).ok()
}

/// Where a blob can be had.
pub fn blob_address(blob: &BlobRef) -> String {
    let segments: Vec<_> = blob.key.as_str().split('/').map(href::encode).collect();
    format!("/api/v1/blobs/{}", segments.join("/"))
}

fn size(blob: &BlobRef) -> Markup {
    html! { @if let Some(bytes) = blob.bytes { small.faint { " " (bytes_words(bytes)) } } }
}

/// An amount of bytes: `812 B`, `4.1 KB`, `12 MB`.
pub fn bytes_words(bytes: u64) -> String {
    let steps = ["KB", "MB", "GB", "TB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1_000.0;
    let mut step = 0;
    while amount >= 999.5 && step + 1 < steps.len() {
        amount /= 1_000.0;
        step += 1;
    }
    let unit = steps[step];
    if amount < 9.95 { format!("{amount:.1} {unit}") } else { format!("{amount:.0} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_show_what_they_are() {
        assert_eq!(inline(&json!("a<b")).into_string(), r#"<code class="value">a&lt;b</code>"#);
        let reference = inline(&json!({"$blob": "jobs/a b/x.png", "bytes": 81_523}));
        let reference = reference.into_string();
        assert!(reference.contains("href=\"/api/v1/blobs/jobs/a%20b/x.png\""), "{reference}");
        assert!(reference.contains("82 KB"), "{reference}");
        let long = inline(&json!("x".repeat(999))).into_string();
        assert!(long.starts_with("<details class=\"long\">"), "{long}");
    }

    #[test]
    fn amounts_have_a_unit() {
        for (bytes, words) in [(0, "0 B"), (999, "999 B"), (4_100, "4.1 KB"), (12_000_000, "12 MB")]
        {
            assert_eq!(bytes_words(bytes), words);
        }
    }
}
