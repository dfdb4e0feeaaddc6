//! The place that a URL names: a folder, a bucket, a container.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use url::Url;

/// What lists objects.
#[derive(Clone)]
pub enum Store {
    /// It is there.
    Open(Arc<dyn ObjectStore>),
    /// A folder of this machine, which need not be there yet.
    Folder(PathBuf),
}

impl Store {
    /// The store, to be asked.
    pub fn open(&self) -> object_store::Result<Arc<dyn ObjectStore>> {
        match self {
            Self::Open(store) => Ok(Arc::clone(store)),
            Self::Folder(folder) => Ok(LocalFileSystem::new_with_prefix(folder).map(Arc::new)?),
        }
    }
}

/// Where objects are.
#[derive(Clone)]
pub struct Place {
    /// What lists them.
    pub store: Store,
    /// The folder in it.
    pub folder: Path,
    /// What stands before a key in an object's URL.
    pub base: String,
    /// Whether it lists in the order of the keys.
    pub is_ordered: bool,
}

impl Place {
    /// Opens the place of a URL, with these options of the store. Nothing is asked yet.
    pub fn open(text: &str, options: &BTreeMap<String, String>) -> Result<Self, String> {
        let wrong = |why: &dyn std::fmt::Display| format!("setting `url`: {why} (`{text}`)");
        if let Some(folder) = text.strip_prefix("file://") {
            let folder = std::path::absolute(folder).map_err(|error| wrong(&error))?;
            let base = format!("file://{}/", folder.display());
            let store = Store::Folder(folder);
            return Ok(Self { store, folder: Path::ROOT, base, is_ordered: false });
        }
        let mut url = Url::parse(text).map_err(|error| wrong(&error))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("setting `url` holds a password (hint: credentials are `options`)".into());
        }
        if let Some(feature) = left_out(url.scheme()) {
            return Err(wrong(&feature));
        }
        let mut options = options.clone();
        for (name, value) in url.query_pairs() {
            let name = if name == "account" { "account_name".into() } else { name };
            options.insert(name.into_owned(), value.into_owned());
        }
        if options.get("endpoint").is_some_and(|endpoint| endpoint.starts_with("http://")) {
            options.entry("allow_http".to_owned()).or_insert_with(|| "true".to_owned());
        }
        url.set_query(None);
        #[cfg(feature = "cloud")]
        crate::net::choose_tls();
        let (store, folder) =
            object_store::parse_url_opts(&url, options).map_err(|error| wrong(&error))?;
        let base = format!("{}://{}/", url.scheme(), url.host_str().unwrap_or_default());
        Ok(Self { store: Store::Open(store.into()), folder, base, is_ordered: true })
    }

    /// The URL of an object, which leads to it when it is opened.
    pub fn url_of(&self, key: &Path) -> String {
        let key = key.as_ref();
        if matches!(self.store, Store::Folder(_)) {
            return format!("{}{key}", self.base);
        }
        // What means something else in a URL.
        let key = key.replace('%', "%25").replace('#', "%23").replace('?', "%3F");
        format!("{}{key}", self.base)
    }

    /// The store, to be written to. A folder of this machine is made if it is not there, and what
    /// is written into it is flushed.
    pub async fn open_to_write(&self) -> object_store::Result<Arc<dyn ObjectStore>> {
        let folder = match &self.store {
            Store::Open(store) => return Ok(Arc::clone(store)),
            Store::Folder(folder) => folder,
        };
        let made = tokio::fs::create_dir_all(folder).await;
        made.map_err(|source| object_store::Error::Generic {
            store: "LocalFileSystem",
            source: Box::new(source),
        })?;
        Ok(LocalFileSystem::new_with_prefix(folder)
            .map(|files| Arc::new(files.with_fsync(true)))?)
    }
}

/// What keeps this build from places of this scheme.
fn left_out(scheme: &str) -> Option<String> {
    let (is_in, feature) = match scheme {
        "memory" => (true, ""),
        "s3" => (cfg!(feature = "s3"), "s3"),
        "az" => (cfg!(feature = "azure"), "azure"),
        "gs" => (cfg!(feature = "gcs"), "gcs"),
        _ => return Some("unknown scheme (known: file, memory, s3, az, gs)".to_owned()),
    };
    (!is_in)
        .then(|| format!("this build has no {feature} (hint: build with `--features {feature}`)"))
}
