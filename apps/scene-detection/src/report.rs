//! A run's outcome as a person reads it.

use std::fmt::{self, Display, Formatter};

use crate::accuracy::Accuracy;
use crate::classify::Class;
use crate::run::{Outcome, Scene};

/// How wide a column of counts is.
const WIDTH: usize = 8;

impl Display for Outcome {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{:24}{:>WIDTH$}", "scene", "objects")?;
        for class in Class::ALL {
            write!(out, "{:>WIDTH$}", class.as_str())?;
        }
        writeln!(out, "  busiest tile")?;
        for scene in &self.scenes {
            write_scene(out, scene)?;
        }
        write_total(out, &self.scenes)?;
        for (image_id, why) in &self.failed {
            writeln!(out, "{image_id}: {why}")?;
        }
        match &self.accuracy {
            Some(accuracy) => write!(out, "\n{accuracy}"),
            None => Ok(()),
        }
    }
}

fn write_scene(out: &mut Formatter<'_>, scene: &Scene) -> fmt::Result {
    write!(out, "{:24}{:>WIDTH$}", scene.objects.image_id, scene.objects.objects.len())?;
    let counts = scene.classes.counts();
    for class in Class::ALL {
        write!(out, "{:>WIDTH$}", counts.get(&class).unwrap_or(&0))?;
    }
    match scene.prediction.busiest() {
        Some((column, row, expected)) => {
            writeln!(out, "  column {column}, row {row}: {expected:.1} expected")
        }
        None => writeln!(out),
    }
}

fn write_total(out: &mut Formatter<'_>, scenes: &[Scene]) -> fmt::Result {
    let objects: usize = scenes.iter().map(|scene| scene.objects.objects.len()).sum();
    write!(out, "{:24}{objects:>WIDTH$}", format!("all {}", scenes.len()))?;
    for class in Class::ALL {
        let of_class = scenes.iter().filter_map(|scene| scene.classes.counts().remove(&class));
        write!(out, "{:>WIDTH$}", of_class.sum::<u64>())?;
    }
    let tiles: usize = scenes.iter().map(|scene| scene.prediction.expected.len()).sum();
    writeln!(out, "  {tiles} tiles")
}

impl Display for Accuracy {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let matched: u64 = self.matched.values().sum();
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        writeln!(out, "held against the truth")?;
        writeln!(
            out,
            "  found       {matched} of {} objects ({}); {} of what was found is true",
            self.true_objects,
            percent(self.recall()),
            percent(self.precision())
        )?;
        writeln!(out, "  classified  {} as what they are", percent(self.well_classified()))?;
        for ((truly, found), count) in self.matched.iter().filter(|((a, b), _)| a != b) {
            writeln!(out, "              {count} {} for {}", found.as_str(), truly.as_str())?;
        }
        let (predicted, counted) = self.errors();
        writeln!(
            out,
            "  predicted   {predicted:.2} objects a tile off (root mean square); \
             what was counted there is {counted:.2} off"
        )
    }
}
