//! URLs that are no place for blobs.

use waystation_blobs::open;

#[test]
fn bad_urls_are_refused_with_the_reason() {
    for (url, expected) in [
        ("blobs", "it has no scheme (hint: file://FOLDER)"),
        ("file://", "it names no folder"),
        ("ftp://a", "unknown scheme (known: file, memory, s3, az, gs)"),
        #[cfg(not(feature = "s3"))]
        ("s3://a", "this build has no s3"),
        #[cfg(feature = "s3")]
        ("s3://a?region=eu&colour=red", "unknown option `colour=red` (known: endpoint, region)"),
        #[cfg(feature = "s3")]
        ("s3://key:secret@a", "credentials come from the environment"),
    ] {
        let Err(error) = open(url, &[]) else { panic!("{url} is no place for blobs") };
        assert!(error.to_string().contains(expected), "{url}: {error}");
    }
}

#[test]
fn folder_that_cannot_be_made_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let url = format!("file://{}/below", file.path().display());
    let Err(error) = open(&url, &[]) else { panic!("a file has nothing below it") };
    assert!(error.to_string().contains(&url), "{error}");
}
