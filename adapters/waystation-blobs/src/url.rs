//! A blobs URL, taken apart.

use object_store::path::Path;

use crate::OpenError;

/// `SCHEME://PLACE/FOLDER?NAME=VALUE&…`.
pub struct Url<'a> {
    /// The whole of it, for messages.
    pub whole: &'a str,
    /// What kind of place.
    pub scheme: &'a str,
    /// What follows the scheme, without the options.
    rest: &'a str,
    options: Option<&'a str>,
}

impl<'a> Url<'a> {
    /// Takes a URL apart.
    pub fn parse(whole: &'a str) -> Result<Self, OpenError> {
        let Some((scheme, rest)) = whole.split_once("://") else {
            let message = "it has no scheme (hint: file://FOLDER)".to_owned();
            return Err(OpenError::Url { url: whole.to_owned(), message });
        };
        let (rest, options) = match rest.split_once('?') {
            // A folder may be called anything.
            Some((rest, options)) if scheme != "file" => (rest, Some(options)),
            _ => (rest, None),
        };
        Ok(Self { whole, scheme, rest, options })
    }

    /// The folder of this machine that it names.
    pub fn folder(&self) -> Result<&'a std::path::Path, OpenError> {
        if self.rest.is_empty() {
            return Err(self.wrong("it names no folder (hint: file://FOLDER)"));
        }
        Ok(std::path::Path::new(self.rest))
    }

    /// The bucket or container that it names, and the folder in it.
    #[cfg_attr(not(feature = "cloud"), allow(dead_code, reason = "for clouds only"))]
    pub fn bucket(&self) -> Result<(&'a str, Path), OpenError> {
        let (bucket, folder) = self.rest.split_once('/').unwrap_or((self.rest, ""));
        if bucket.is_empty() || bucket.contains(['@', ':']) {
            let message = "a bucket's plain name is due after the scheme (hint: credentials come \
                           from the environment)";
            return Err(self.wrong(message));
        }
        let folder = Path::parse(folder).map_err(|error| self.wrong(&error.to_string()))?;
        Ok((bucket, folder))
    }

    /// The values of the options of these names. Others are refused.
    #[cfg_attr(not(feature = "cloud"), allow(dead_code, reason = "for clouds only"))]
    pub fn options(&self, known: &[&str]) -> Result<Vec<(&'a str, &'a str)>, OpenError> {
        let mut options = Vec::new();
        for option in self.options.unwrap_or_default().split('&').filter(|one| !one.is_empty()) {
            match option.split_once('=') {
                Some((name, value)) if known.contains(&name) => options.push((name, value)),
                _ => {
                    let known = known.join(", ");
                    return Err(self.wrong(&format!("unknown option `{option}` (known: {known})")));
                }
            }
        }
        Ok(options)
    }

    /// That something is wrong with it.
    pub fn wrong(&self, message: &str) -> OpenError {
        OpenError::Url { url: self.whole.to_owned(), message: message.to_owned() }
    }

    /// That the place cannot be used.
    pub fn unusable(&self, error: &dyn std::fmt::Display) -> OpenError {
        OpenError::Place { url: self.whole.to_owned(), message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_folders_and_options_are_told_apart() {
        let url = Url::parse("s3://scans/a/b?endpoint=http://127.0.0.1:9000&region=eu").expect("s");
        let (bucket, folder) = url.bucket().expect("a bucket");
        assert_eq!((url.scheme, bucket, folder.as_ref()), ("s3", "scans", "a/b"));
        let options = url.options(&["endpoint", "region"]).expect("known ones");
        assert_eq!(options, [("endpoint", "http://127.0.0.1:9000"), ("region", "eu")]);
        let error = url.options(&["region"]).expect_err("endpoint is unknown").to_string();
        assert!(error.contains("unknown option `endpoint=http://127.0.0.1:9000`"), "{error}");
    }

    #[test]
    fn bad_urls_are_refused_by_name() {
        assert!(Url::parse("scans").is_err());
        for bad in ["s3://", "s3:///a", "s3://key:secret@scans/a", "s3://scans/../a"] {
            let url = Url::parse(bad).expect(bad);
            assert!(url.bucket().is_err(), "{bad}");
        }
        assert!(Url::parse("file://").expect("a URL").folder().is_err());
    }
}
