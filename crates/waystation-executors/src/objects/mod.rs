//! `objects`: makes a job of each object in a bucket, once; `objects.write` puts one there.
//!
//! An object is known by its URL, its size and its entity tag (its time of change where the store
//! gives none), so that one that is written over becomes another job.
//!
//! Clouds list in the order of the keys and from any of them: a look goes through the listing as it
//! comes, page by page, and one that was interrupted goes on from the last key. That key is of use
//! to this look only. The next one begins at the front, and so finds what was written over, or what
//! was added before it. Only with `append_only` does the next look begin behind the last key: that
//! is for keys that only grow, as those that begin with a date.

mod place;
mod source;
mod write;

#[cfg(feature = "documents")]
pub use place::Place;
pub use source::{Settings, build};
pub use write::{Settings as WriteSettings, build as build_write};
