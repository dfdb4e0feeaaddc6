//! Addresses: names and values made fit to stand in them.

use std::fmt::Write;

use waystation_core::id::{JobId, PipelineName};

/// A text with everything but letters, digits and `-_.~` as `%` and its number.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing into a text cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A query made of these pairs, without those that are empty; with its `?`, if there is any.
pub fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut query = String::new();
    for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
        let separator = if query.is_empty() { '?' } else { '&' };
        let _ = write!(query, "{separator}{}={}", encode(name), encode(value));
    }
    query
}

/// A path of this server that a form brought along; the overview, where it is none.
pub fn own(path: &str) -> &str {
    let is_own = path.starts_with('/') && !path.starts_with("//") && !path.contains('\\');
    if is_own { path } else { "/" }
}

/// A job's page.
pub fn job(job_id: &JobId) -> String {
    format!("/jobs/{}", encode(job_id.as_str()))
}

/// A pipeline's page.
pub fn pipeline(name: &PipelineName) -> String {
    format!("/pipelines/{}", encode(name.as_str()))
}

/// A task's page.
pub fn task(task_id: i64) -> String {
    format!("/inbox/{task_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_addresses_whatever_is_in_them() {
        assert_eq!(job(&"a/b ?ä".into()), "/jobs/a%2Fb%20%3F%C3%A4");
        assert_eq!(query([("a", "1&2"), ("b", ""), ("c", "x")]), "?a=1%262&c=x");
        assert_eq!(query([("a", "")]), "");
    }

    #[test]
    fn forms_lead_to_pages_of_this_server_alone() {
        for (path, to) in [("/jobs?a=1", "/jobs?a=1"), ("//evil.example", "/"), ("https://a", "/")]
        {
            assert_eq!(own(path), to);
        }
        assert_eq!(own("/\\evil.example"), "/");
    }
}
