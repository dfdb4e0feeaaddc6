//! A folder to work in: `images/`, the truth about them if it is known, the jobs, and everything
//! that the stages leave.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::synthetic::{Truth, scene};

/// A folder to work in. It is the place for blobs, too.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

/// What is truly in each image, by its id.
pub type Truths = BTreeMap<String, Truth>;

impl Folder {
    /// This folder, which is made where it is absent.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let images = path.join("images");
        std::fs::create_dir_all(&images)
            .with_context(|| format!("cannot make {}", images.display()))?;
        let path = path.canonicalize().with_context(|| path.display().to_string())?;
        Ok(Self { path })
    }

    /// Fills it with synthetic scenes and the truth about them.
    pub fn generate(&self, seed: u64, scenes: u32, noise: f64) -> anyhow::Result<()> {
        let mut truths = Truths::new();
        for scene in (0..scenes).map(|index| scene(seed, index, noise)) {
            let path = self.path.join("images").join(format!("{}.png", scene.image_id));
            scene.raster.write_png(&path).with_context(|| path.display().to_string())?;
            truths.insert(scene.image_id, scene.truth);
        }
        let path = self.path.join("truth.json");
        let text = serde_json::to_vec_pretty(&truths)?;
        std::fs::write(&path, text).with_context(|| path.display().to_string())
    }

    /// The ids of its images, in their order.
    pub fn images(&self) -> anyhow::Result<Vec<String>> {
        let folder = self.path.join("images");
        let mut ids = Vec::new();
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "png") {
                let name = path.file_stem().and_then(|name| name.to_str());
                let name = name.with_context(|| format!("{} is no text", path.display()))?;
                ids.push(name.to_owned());
            }
        }
        ids.sort();
        Ok(ids)
    }

    /// The truth, as far as it is known.
    pub fn truths(&self) -> anyhow::Result<Truths> {
        let path = self.path.join("truth.json");
        match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| path.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Truths::new()),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// It as the place for blobs.
    pub fn blobs(&self) -> String {
        format!("file://{}", self.path.display())
    }

    /// The store of its jobs.
    pub fn store(&self) -> String {
        format!("sqlite://{}", self.path.join("jobs.db").display())
    }
}
