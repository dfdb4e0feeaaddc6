//! A word about what somebody just did, shown once on the page that they come to.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::href;
use crate::audit::Failed;

/// The cookie in which the word goes along.
const COOKIE: &str = "waystation_flash";
/// The longest word. Browsers take cookies of 4,096 bytes.
const BYTES_MAX: usize = 1_000;

/// A word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flash {
    /// Whether it is about something that went wrong.
    pub is_bad: bool,
    /// The word.
    pub text: String,
}

/// Sends somebody to a page with a word about what was done.
pub fn done(to: &str, text: impl Into<String>) -> Response {
    send(to, &Flash { is_bad: false, text: text.into() })
}

/// Sends somebody to a page with a word about what went wrong.
pub fn failed(to: &str, text: impl Into<String>) -> Response {
    send(to, &Flash { is_bad: true, text: text.into() })
}

fn send(to: &str, flash: &Flash) -> Response {
    let mut text = flash.text.clone();
    waystation_core::failure::truncate(&mut text, BYTES_MAX);
    let (mark, text) = (if flash.is_bad { "bad" } else { "good" }, href::encode(&text));
    let cookie = format!("{COOKIE}={mark}.{text}; Path=/; Max-Age=20; HttpOnly; SameSite=Strict");
    let mut response = StatusCode::SEE_OTHER.into_response();
    if flash.is_bad {
        response.extensions_mut().insert(Failed("not done"));
    }
    let headers = response.headers_mut();
    // Both are ASCII by now, but for an address that somebody made up.
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    headers.insert(header::LOCATION, to);
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        headers.insert(header::SET_COOKIE, cookie);
    }
    response
}

/// The header that takes the word away once it was shown.
pub fn over() -> (header::HeaderName, HeaderValue) {
    let cookie = "waystation_flash=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict";
    (header::SET_COOKIE, HeaderValue::from_static(cookie))
}

/// The word that came along.
pub fn read(headers: &HeaderMap) -> Option<Flash> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim() == COOKIE)?;
    let (mark, text) = value.trim().split_once('.')?;
    Some(Flash { is_bad: mark == "bad", text: decode(text)? })
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_cookie() {
        let response = failed("/jobs", "job “a; b=c” is gone, 100 %");
        let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
        let mut headers = HeaderMap::new();
        let (pair, _) = cookie.split_once(';').unwrap();
        headers.insert(header::COOKIE, HeaderValue::from_str(pair).unwrap());
        let text = "job “a; b=c” is gone, 100 %".to_owned();
        assert_eq!(read(&headers), Some(Flash { is_bad: true, text }));
    }

    #[test]
    fn what_others_put_there_is_no_word() {
        for cookie in ["waystation_flash=", "waystation_flash=good.%G1", "other=good.x"] {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_static(cookie));
            assert_eq!(read(&headers), None, "{cookie}");
        }
    }
}
