//! Blobs and files, to be looked at.
//!
//! What they hold is not ours: a browser shows pictures, texts, JSON and tables in place, in a
//! sandbox, and offers everything else for download.

use std::path::{Path as FilePath, PathBuf};

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waystation_core::blob::BlobKey;
use waystation_core::port::BlobError;

use crate::access::Viewer;
use crate::context::Context;
use crate::extract::{Path, Query};
use crate::problem::{Code, Problem};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new().routes(routes!(blob)).routes(routes!(file))
}

/// What a browser shows in place, by the ending of the name.
const SHOWN: [(&str, &str); 14] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("bmp", "image/bmp"),
    ("txt", "text/plain; charset=utf-8"),
    ("log", "text/plain; charset=utf-8"),
    ("md", "text/plain; charset=utf-8"),
    ("yaml", "text/plain; charset=utf-8"),
    ("yml", "text/plain; charset=utf-8"),
    ("json", "application/json"),
    ("csv", "text/csv; charset=utf-8"),
];
/// What is shown can do nothing.
const SANDBOX: &str =
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:";

/// Read a blob
///
/// Pictures, texts, JSON and CSV as what they are, everything else as a download.
#[utoipa::path(
    get, path = "/blobs/{*key}", tag = "previews", operation_id = "get_blob",
    extensions(("x-role" = json!("viewer"))), params(("key" = String, Path)),
    responses(
        (status = 200, description = "The blob", content_type = "*/*", body = Vec<u8>),
        (status = 413, description = "It is too large to be shown", body = Problem,
            content_type = "application/problem+json"),
        Problem
    )
)]
async fn blob(
    State(context): State<Context>,
    _: Viewer,
    Path(key): Path<String>,
) -> Result<Response, Problem> {
    let key =
        BlobKey::parse(key).map_err(|error| Problem::new(Code::Invalid, error.to_string()))?;
    let blobs = context.backend().blobs.as_ref().ok_or(BlobError::NotConfigured)?;
    let bytes = blobs.get(&key, context.limits().preview_bytes_max).await?;
    Ok(shown(key.as_str(), bytes))
}

/// Which file is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct WantedFile {
    /// Its path on the server's machine, as a job's param has it.
    path: String,
}

/// Read a file
///
/// Of those below the folders that the server was told of, and of no others.
#[utoipa::path(
    get, path = "/files", tag = "previews", operation_id = "get_file",
    extensions(("x-role" = json!("viewer"))), params(WantedFile),
    responses(
        (status = 200, description = "The file", content_type = "*/*", body = Vec<u8>),
        (status = 404, description = "There is no such file in these folders", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "It is too large to be shown", body = Problem,
            content_type = "application/problem+json"),
        Problem
    )
)]
async fn file(
    State(context): State<Context>,
    _: Viewer,
    Query(WantedFile { path }): Query<WantedFile>,
) -> Result<Response, Problem> {
    let (folders, bytes_max) =
        (context.options().preview_folders.clone(), context.limits().preview_bytes_max);
    let wanted = path.clone();
    let read = tokio::task::spawn_blocking(move || read(&folders, &wanted, bytes_max)).await;
    let bytes = read.map_err(|error| Problem::new(Code::Internal, error.to_string()))??;
    Ok(shown(&path, bytes))
}

/// Reads a file below one of these folders. One that is elsewhere is answered as one that is not
/// there, so that nobody learns what there is.
fn read(folders: &[PathBuf], path: &str, bytes_max: u64) -> Result<Vec<u8>, Problem> {
    let none = || Problem::new(Code::NotFound, format!("there is no file {path} to be shown"));
    let path = path.strip_prefix("file://").unwrap_or(path);
    let file = find(folders, FilePath::new(path)).ok_or_else(none)?;
    let about = file.metadata().map_err(|_| none())?;
    if !about.is_file() {
        return Err(none());
    }
    if about.len() > bytes_max {
        let why =
            format!("file is {} bytes, more than the {bytes_max} that are shown", about.len());
        return Err(Problem::new(Code::TooLarge, why));
    }
    std::fs::read(&file).map_err(|_| none())
}

/// Where a file really lies, if that is below one of the folders. A relative path is looked for in
/// each of them.
fn find(folders: &[PathBuf], path: &FilePath) -> Option<PathBuf> {
    folders.iter().find_map(|folder| {
        let folder = folder.canonicalize().ok()?;
        let file = folder.join(path).canonicalize().ok()?;
        file.starts_with(&folder).then_some(file)
    })
}

fn shown(name: &str, bytes: Vec<u8>) -> Response {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    let ending = ending.unwrap_or_default();
    let known = SHOWN.iter().find(|(known, _)| *known == ending);
    let (kind, disposition) = match known {
        Some((_, kind)) => (*kind, "inline"),
        None => ("application/octet-stream", "attachment"),
    };
    let mut response = bytes.into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CONTENT_SECURITY_POLICY, SANDBOX),
        (header::CACHE_CONTROL, "private, max-age=60"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_below_the_folders_are_read() {
        let here = FilePath::new(env!("CARGO_MANIFEST_DIR"));
        let folders = [here.join("src")];
        let lib = here.join("src/lib.rs");
        assert!(read(&folders, lib.to_str().unwrap(), 1_000_000).is_ok());
        assert!(read(&folders, "lib.rs", 1_000_000).is_ok(), "relative to a folder");
        assert!(read(&folders, &format!("file://{}", lib.display()), 1_000_000).is_ok());
        let outside = here.join("Cargo.toml");
        for path in [
            outside.to_str().unwrap(),
            "../Cargo.toml",
            "/etc/hostname",
            "",
            "routes",
            "none",
            "\0",
        ] {
            let refused = read(&folders, path, 1_000_000).expect_err(path);
            assert_eq!(refused.code, Code::NotFound, "{path}");
        }
        assert_eq!(read(&folders, "lib.rs", 10).expect_err("large").code, Code::TooLarge);
        assert!(read(&[], lib.to_str().unwrap(), 1_000_000).is_err());
    }
}
