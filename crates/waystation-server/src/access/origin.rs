//! Whether a request comes from a page of another site.
//!
//! Browsers tell where a request comes from: `Sec-Fetch-Site`, and `Origin` where that is missing.
//! A request that changes something, and every WebSocket, must come from our own pages or from no
//! page at all. Programs that are no browsers send neither, and bring a token.
//!
//! While the server is open, the name in `Host` must be one of this machine: otherwise a site whose
//! name was made to point here (DNS rebinding) could read and write as if it were our own page.

use axum::http::{HeaderMap, Method, header};

/// Why a request is refused, if it is: it comes from a page of another site.
pub fn refusal(method: &Method, headers: &HeaderMap, is_upgrade: bool) -> Option<String> {
    let is_safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    if is_safe && !is_upgrade {
        return None;
    }
    match text(headers, "sec-fetch-site") {
        Some("same-origin" | "none") => return None,
        Some(site) => return Some(format!("request comes from a page that is {site}")),
        None => {}
    }
    let origin = text(headers, header::ORIGIN.as_str())?;
    let host = text(headers, header::HOST.as_str()).unwrap_or_default();
    let from = origin.split_once("://").map_or(origin, |(_, host)| host);
    (from != host).then(|| format!("request comes from a page of {origin}, not of {host}"))
}

/// Why a request to an open server is refused, if it is: it is not asked by a name of this machine.
pub fn foreign_host(headers: &HeaderMap) -> Option<String> {
    let host = text(headers, header::HOST.as_str())?;
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_local = name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    (!is_local).then(|| {
        format!("server without tokens answers to names of this machine only, not to {host}")
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn pages_of_other_sites_are_told_from_our_own_and_from_programs() {
        let cases: [(&[(&str, &str)], bool); 7] = [
            (&[], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("origin", "http://localhost:7280"), ("host", "localhost:7280")], true),
            (&[("origin", "http://evil.example"), ("host", "localhost:7280")], false),
        ];
        for (pairs, allowed) in cases {
            let headers = headers(pairs);
            assert_eq!(refusal(&Method::POST, &headers, false).is_none(), allowed, "{pairs:?}");
            assert_eq!(refusal(&Method::GET, &headers, true).is_none(), allowed, "{pairs:?}");
            assert_eq!(refusal(&Method::GET, &headers, false), None, "{pairs:?}");
        }
    }

    #[test]
    fn open_server_answers_to_names_of_this_machine() {
        for (host, answered) in [
            ("localhost:7280", true),
            ("127.0.0.1:7280", true),
            ("[::1]:7280", true),
            ("evil.example:7280", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(foreign_host(&headers(&[("host", host)])).is_none(), answered, "{host}");
        }
    }
}
