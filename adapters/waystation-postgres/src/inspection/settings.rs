//! What the server is set to, and what its clock says.

use std::collections::HashMap;

use waystation_core::port::Finding;

use super::Look;
use crate::error::Result;

/// The oldest version of the server that we work with.
const VERSION_MIN: i32 = 12;
const SKEW_WARN_MS: i64 = 1_000;
/// A third of the lease that workers take unless they are told otherwise.
const SKEW_REFUSE_MS: i64 = 10_000;
const MEANT: &str = "or say unsafe=allow in the URL where losing data is meant";

impl Look<'_> {
    /// Durability, version, and whether the server takes writes.
    pub async fn settings(&self) -> Result<Vec<Finding>> {
        let sql = "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', \
             'full_page_writes', 'synchronous_commit', 'server_version_num', 'server_version') \
             UNION ALL SELECT 'in_recovery', pg_is_in_recovery()::text";
        let rows = self.rows(sql, &[]).await?;
        let settings: HashMap<String, String> =
            rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let get = |name: &str| settings.get(name).map_or("", String::as_str);
        let number: i32 = get("server_version_num").parse().unwrap_or(0);
        let mut findings = vec![
            version(number / 10_000, get("server_version")),
            durable(
                "fsync",
                get("fsync"),
                "after a crash of the machine the database may be broken beyond repair",
            ),
            durable(
                "full_page_writes",
                get("full_page_writes"),
                "after a crash of the machine half-written pages stay in the database",
            ),
            durable(
                "synchronous_commit",
                get("synchronous_commit"),
                "after a crash jobs that were acknowledged are gone",
            ),
        ];
        if get("in_recovery") == "true" {
            let hint = "name the primary server, or add target_session_attrs=read-write";
            findings.push(Finding::refuse("server", "it is a standby: it takes no writes", hint));
        }
        Ok(findings)
    }

    /// The server's clock against ours. Leases are written by the clocks of those who work.
    pub async fn clocks(&self) -> Result<Vec<Finding>> {
        let before = self.clock.now().0;
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        let theirs: i64 = self.row(sql, &[]).await?.get(0);
        let after = self.clock.now().0;
        // Its clock was read at some moment between: only what lies outside of that is skew.
        let ahead = (theirs - after).max(0) - (before - theirs).max(0);
        Ok(vec![skew(ahead)])
    }
}

fn version(major: i32, text: &str) -> Finding {
    let message = format!("PostgreSQL {text}");
    if major >= VERSION_MIN {
        return Finding::fine("version", message);
    }
    let hint = format!("use version {VERSION_MIN} or newer");
    Finding::refuse("version", format!("{message} is older than {VERSION_MIN}"), hint)
}

fn durable(name: &'static str, value: &str, otherwise: &str) -> Finding {
    if value != "off" {
        return Finding::fine(name, format!("{name} is {value}"));
    }
    let hint = format!("set {name} = on in the server's configuration, {MEANT}");
    Finding::refuse(name, format!("{name} is off: {otherwise}"), hint)
}

fn skew(ahead_ms: i64) -> Finding {
    let seconds = ahead_ms.unsigned_abs() as f64 / 1e3;
    let side = if ahead_ms > 0 { "ahead of" } else { "behind" };
    let message = format!("the server's clock is {seconds:.1} s {side} ours");
    let hint = "keep the machines' clocks by NTP; leases are measured by them";
    match ahead_ms.abs() {
        0..=SKEW_WARN_MS => Finding::fine(
            "clock",
            format!("the server's clock is within {SKEW_WARN_MS} ms of ours"),
        ),
        skew if skew <= SKEW_REFUSE_MS => Finding::warn("clock", message, hint),
        _ => Finding::refuse(
            "clock",
            format!("{message}: leases of others would seem to have run out, or never to do so"),
            hint,
        ),
    }
}

#[cfg(test)]
mod tests {
    use waystation_core::port::Severity;

    use super::{skew, version};

    #[test]
    fn clocks_that_differ_are_told_by_how_much() {
        for (ahead, severity, part) in [
            (900, Severity::Fine, "within 1000 ms"),
            (-2_500, Severity::Warn, "2.5 s behind ours"),
            (11_000, Severity::Refuse, "11.0 s ahead of ours"),
        ] {
            let finding = skew(ahead);
            assert_eq!(finding.severity, severity, "{finding}");
            assert!(finding.message.contains(part), "{finding}");
        }
    }

    #[test]
    fn old_servers_are_refused() {
        assert!(version(11, "11.22").refuses());
        assert!(!version(12, "12.0").refuses());
    }
}
