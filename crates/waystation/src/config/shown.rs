//! Keeps secrets from being shown.

use waystation_server::redact;

/// What stands for a secret.
pub const HIDDEN: &str = redact::HIDDEN;

/// A URL without its password, and without what its query says under names of secrets.
pub fn url(url: &str) -> String {
    let (place, query) = match url.split_once('?') {
        // A question mark may stand in a password, too.
        Some((place, query)) if !query.contains('@') => (place, Some(query)),
        _ => (url, None),
    };
    let place = match place.rsplit_once('@') {
        // Not a URL at all: nobody can say where its password begins.
        Some((_, host)) if !place.contains("://") => format!("{HIDDEN}@{host}"),
        _ => crate::backends::shown(place),
    };
    let Some(query) = query else { return place };
    let pairs: Vec<String> = query.split('&').map(pair).collect();
    format!("{place}?{}", pairs.join("&"))
}

fn pair(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, _)) if redact::is_secret(name) || matches!(name, "sig" | "sas") => {
            format!("{name}={HIDDEN}")
        }
        _ => pair.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn secrets_of_urls_are_not_shown() {
        for (given, expected) in [
            ("postgres://ann:pw@db/jobs?pooler=session", "postgres://ann@db/jobs?pooler=session"),
            ("postgres://db/jobs?user=ann&password=pw", "postgres://db/jobs?user=ann&password=***"),
            ("redis://:p?w@db/1", "redis://@db/1"),
            ("az://box/folder?sv=1&sig=abc", "az://box/folder?sv=1&sig=***"),
            ("sqlite://a.db", "sqlite://a.db"),
            ("ann:pw@db", "***@db"),
        ] {
            assert_eq!(url(given), expected);
        }
    }
}
