//! Reads when a source looks.

use super::fields::Fields;
use super::node::{Node, Value};
use crate::pipeline::Problem;
use crate::schedule::{Calendar, Schedule};

const KEYS: [&str; 3] = ["every_seconds", "cron", "time_zone"];

/// The schedule of a stage, if it says one: `on_demand`, or a mapping.
pub(super) fn read(stage: &Fields<'_>, problems: &mut Vec<Problem>) -> Option<Schedule> {
    let node = stage.get("schedule")?;
    if !matches!(node.value, Value::Mapping(_)) {
        stage.word("schedule", &[("on_demand", ())], problems)?;
        return Some(Schedule::OnDemand);
    }
    let owner = format!("`schedule` of {}", stage.owner);
    let fields = Fields::open(node, owner, &KEYS, problems)?;
    match (fields.get("every_seconds"), fields.get("cron")) {
        (Some(_), None) => {
            if let Some(zone) = fields.get("time_zone") {
                let message = format!("{} has a `time_zone`, but no `cron`", fields.owner);
                problems.push(Problem::new(message).at(zone.position));
            }
            fields.seconds_above_zero("every_seconds", problems).map(Schedule::Every)
        }
        (None, Some(cron)) => read_calendar(&fields, cron, problems),
        (None, None) | (Some(_), Some(_)) => {
            let message = format!("{} must have one of `every_seconds` and `cron`", fields.owner);
            problems.push(Problem::new(message).at(node.position));
            None
        }
    }
}

fn read_calendar(
    fields: &Fields<'_>,
    cron: &Node,
    problems: &mut Vec<Problem>,
) -> Option<Schedule> {
    let expression = fields.text("cron", problems)?;
    let zone = fields.text("time_zone", problems).unwrap_or(Calendar::UTC);
    match Calendar::parse(expression, zone) {
        Ok(calendar) => Some(Schedule::Calendar(calendar)),
        Err(message) => {
            let problem = Problem::new(format!("{}: {message}", fields.owner));
            problems.push(problem.at(cron.position));
            None
        }
    }
}
