//! What makes a photo hopeless.

/// The mishap that befell a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hazard {
    /// None: the page can be found.
    None,
    /// The page lies on a surface of its own colour, evenly lit.
    SameColour,
    /// Two corners are outside the frame.
    CutOff,
    /// The camera moved, or its focus was elsewhere.
    Blurred,
    /// There was hardly any light.
    Dark,
    /// Something lies on a corner.
    CoveredCorner,
}

/// One photo in this many is hopeless.
const HOPELESS_EVERY: u64 = 6;
/// The mishaps take turns, so that a short roll shows several of them.
const TURNS: [Hazard; 5] =
    [Hazard::CutOff, Hazard::SameColour, Hazard::CoveredCorner, Hazard::Blurred, Hazard::Dark];

impl Hazard {
    /// The mishap of the photo number `index` of a roll.
    pub(super) fn of_photo(seed: u64, index: u32) -> Self {
        let place = u64::from(index) + seed % HOPELESS_EVERY;
        if place % HOPELESS_EVERY != HOPELESS_EVERY - 2 {
            return Self::None;
        }
        let turn = (place / HOPELESS_EVERY + seed % 5) % TURNS.len() as u64;
        TURNS[turn as usize]
    }
}
