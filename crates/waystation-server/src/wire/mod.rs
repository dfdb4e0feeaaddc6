//! What travels over HTTP. Moments are texts in RFC 3339, in UTC, with milliseconds; durations end
//! in their unit. Fields that are not known are refused in requests, and to be passed over in
//! answers: new ones may come.

mod job;
mod moment;

pub use job::{Job, JobPage};
pub use moment::Moment;
