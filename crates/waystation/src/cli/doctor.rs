//! `waystation doctor`: whether stores and brokers can be relied on. Nothing is changed in them.

use serde_json::json;
use waystation::backends::{self, OpenError};
use waystation::core::port::{Finding, Severity};

use super::exit::{Error, Outcome};
use super::out;
use super::session::Global;
use super::table::{Cell, Table};

/// What `doctor` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// The stores and brokers to look at [default: those of --store, --queue and --bus]
    #[arg(value_name = "URL")]
    urls: Vec<String>,
}

/// Looks at each store.
pub async fn run(arguments: Arguments, global: &Global) -> Result<Outcome, Error> {
    let named = global.urls();
    let all = std::iter::once(named.store).chain(named.queue).chain(named.bus);
    let urls = if arguments.urls.is_empty() { all.collect() } else { arguments.urls };
    let mut outcome = Outcome::Done;
    let mut reports = Vec::new();
    for url in &urls {
        let findings = look(url).await?;
        if findings.iter().any(Finding::refuses) {
            outcome = Outcome::NotAll;
        }
        if !global.json {
            print(&backends::shown(url), &findings);
        }
        reports.push(json!({ "url": backends::shown(url), "findings": findings }));
    }
    if global.json {
        out::json(&reports);
    }
    Ok(outcome)
}

/// A store that cannot be reached is a finding, too.
async fn look(url: &str) -> Result<Vec<Finding>, Error> {
    match backends::inspect(url).await {
        Ok(findings) => Ok(findings),
        Err(OpenError::Port { source, .. }) => {
            let hint = "see that the server runs, and that host, user and password are right";
            Ok(vec![Finding::refuse("connection", source.to_string(), hint)])
        }
        Err(error) => Err(error.into()),
    }
}

fn print(store: &str, findings: &[Finding]) {
    let count = |severity| findings.iter().filter(|one| one.severity == severity).count();
    let refused = count(Severity::Refuse);
    let verdict = match (refused, count(Severity::Warn)) {
        (0, 0) => "good".to_owned(),
        (0, warned) => format!("usable, {}", out::counted(warned, "warning")),
        (refused, _) => format!("refused for {}", out::counted(refused, "reason")),
    };
    out::line(format_args!("{store}: {verdict}"));
    let mut table = Table::new(["", "what", "found"]);
    for finding in findings {
        let severity = match finding.severity {
            Severity::Fine => Cell::faint("fine"),
            other => other.as_str().into(),
        };
        table.row(vec![severity, finding.subject.into(), finding.message.as_str().into()]);
        if let Some(hint) = &finding.hint {
            table.row(vec![
                "".into(),
                "".into(),
                Cell::faint(format!("hint: {}", out::clean(hint))),
            ]);
        }
    }
    table.print();
}
