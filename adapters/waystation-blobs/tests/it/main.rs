//! Places for blobs, held against what the port promises. Tests of S3 start a `SeaweedFS` (`weed`).
#![cfg(test)]

mod local;
#[cfg(feature = "s3")]
mod s3;
mod urls;
