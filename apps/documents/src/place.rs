//! Where documents come from, and where what is known of them is kept.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::{Value, json};

/// Endings of the names of what is read.
const ENDINGS: [&str; 9] = ["pdf", "docx", "pptx", "xlsx", "html", "htm", "csv", "txt", "md"];

/// Where documents are.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// A folder, with the folders in it.
    Folder(PathBuf),
    /// A bucket, or a part of one: `s3://BUCKET/FOLDER` and the like.
    Bucket(String),
}

impl Origin {
    /// Reads it from a command line.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        if text.contains("://") {
            return Ok(Self::Bucket(text.to_owned()));
        }
        let folder = std::path::absolute(text).with_context(|| format!("folder {text}"))?;
        if !folder.is_dir() {
            bail!("{} is no folder", folder.display());
        }
        Ok(Self::Folder(folder))
    }

    /// The type of the stage that looks there, and what it is told.
    pub fn source(&self, settle_seconds: f64) -> (&'static str, Value) {
        match self {
            Self::Folder(folder) => {
                let settings = json!({
                    "folder": folder, "extensions": ENDINGS, "settle_seconds": settle_seconds,
                });
                ("files", settings)
            }
            Self::Bucket(url) => ("objects", json!({ "url": url, "extensions": ENDINGS })),
        }
    }
}

/// The folder with the index, the jobs and what they carry along.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

impl Home {
    /// Makes it, unless it is there.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let path = std::path::absolute(path)?;
        std::fs::create_dir_all(&path).with_context(|| format!("folder {}", path.display()))?;
        Ok(Self(path))
    }

    /// The index.
    pub fn index(&self) -> PathBuf {
        self.0.join("index.db")
    }

    /// The store of the jobs.
    pub fn store(&self) -> String {
        format!("sqlite://{}", self.0.join("jobs.db").display())
    }

    /// The place for texts that are too long to travel.
    pub fn blobs(&self) -> String {
        format!("file://{}", self.0.join("blobs").display())
    }
}
