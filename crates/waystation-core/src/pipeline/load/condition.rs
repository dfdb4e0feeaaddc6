//! Reads the condition of a route or of a stage.

use super::fields::Fields;
use super::node::Value;
use crate::condition::Condition;
use crate::pipeline::Problem;

/// The condition, `Err` when there is one that cannot be used.
pub(super) fn read(
    fields: &Fields<'_>,
    problems: &mut Vec<Problem>,
) -> Result<Option<Condition>, ()> {
    let Some(node) = fields.get("when") else {
        return Ok(None);
    };
    let source = match &node.value {
        // `when: true` reads better than it would in quotes, and means the same.
        Value::Boolean(value) => value.to_string(),
        _ => fields.text("when", problems).ok_or(())?.to_owned(),
    };
    match Condition::parse(&source) {
        Ok(condition) => Ok(Some(condition)),
        Err(error) => {
            let message = format!("`when` of {}: {error}", fields.owner);
            problems.push(Problem::new(message).at(node.position));
            Err(())
        }
    }
}
