//! Which part of a document of Office stands for what in another one.

use std::collections::HashMap;

use super::archive::Archive;
use super::xml::{self, Item};
use crate::documents::formats::Refusal;

/// A part that another one names.
pub struct Relation {
    /// What it is to it: the last word of its type.
    pub kind: String,
    /// Where it lies in the archive.
    pub target: String,
}

/// The parts that a part names, by the ids that it gives them.
pub fn of(archive: &mut Archive<'_>, part: &str) -> Result<HashMap<String, Relation>, Refusal> {
    let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
    let mut relations = HashMap::new();
    let Some(text) = archive.text(&format!("{folder}/_rels/{name}.rels"))? else {
        return Ok(relations);
    };
    xml::read(&text, |item| {
        if let Item::Start(element) = item
            && element.name == "Relationship"
            && let Some(id) = element.attribute("Id")
            && let Some(kind) = element.attribute("Type")
            && let Some(target) = element.attribute("Target")
        {
            let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
            relations.insert(id, Relation { kind, target: resolved(folder, &target) });
        }
        Ok(())
    })?;
    Ok(relations)
}

/// Where a target lies, from this folder.
fn resolved(folder: &str, target: &str) -> String {
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_owned();
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}
