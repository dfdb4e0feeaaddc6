//! What pages are drawn with: one style sheet, small scripts of our own, one picture.
//!
//! They are part of the program. Their address has a hash of them all in it, so that a browser may
//! keep them for ever and never has an old one; scripts find each other beside themselves.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

use crate::context::Context;
use crate::problem::Problem;

/// Each file: its name, its type, what is in it.
const FILES: [(&str, &str, &str); 10] = [
    ("style.css", "text/css; charset=utf-8", include_str!("../../assets/style.css")),
    ("theme.js", SCRIPT, include_str!("../../assets/theme.js")),
    ("page.js", SCRIPT, include_str!("../../assets/page.js")),
    ("live.js", SCRIPT, include_str!("../../assets/live.js")),
    ("connection.js", SCRIPT, include_str!("../../assets/connection.js")),
    ("morph.js", SCRIPT, include_str!("../../assets/morph.js")),
    ("preview.js", SCRIPT, include_str!("../../assets/preview.js")),
    ("rows.js", SCRIPT, include_str!("../../assets/rows.js")),
    ("corners.js", SCRIPT, include_str!("../../assets/corners.js")),
    ("icon.svg", "image/svg+xml", include_str!("../../assets/icon.svg")),
];

const SCRIPT: &str = "text/javascript; charset=utf-8";
/// A year: the address changes with the content.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Names this build's files.
static HASH: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for (_, _, content) in FILES {
        hash.update(content);
    }
    let digits = hash.finalize();
    let start = digits.iter().take(8).fold(0_u64, |start, byte| start << 8 | u64::from(*byte));
    format!("{start:016x}")
});

/// The routes.
pub fn routes() -> Router<Context> {
    Router::new().route("/assets/{hash}/{name}", get(file))
}

/// Where a file is.
pub fn address(name: &str) -> String {
    format!("/assets/{}/{name}", *HASH)
}

async fn file(Path((hash, name)): Path<(String, String)>) -> Response {
    let found = FILES.iter().find(|(known, _, _)| *known == name);
    let Some((_, kind, content)) = found else {
        return Problem::not_found("file", name).into_response();
    };
    let kept = if hash == *HASH { KEPT } else { HeaderValue::from_static("no-cache") };
    let kind = HeaderValue::from_static(kind);
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, kept)], *content).into_response()
}
