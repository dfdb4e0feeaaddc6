//! The words on the pages: minutes, notes and lists of an office that does not exist.

use fastrand::Rng;

use super::pick;

pub(super) const TITLES: [&str; 12] = [
    "Minutes of the Harbour Committee",
    "Notes on the Spring Planting",
    "Inventory of the North Store",
    "Report on the Bridge Survey",
    "Rules of the Reading Room",
    "Plan for the Autumn Fair",
    "Letter to the Members",
    "Care of Wooden Boats",
    "Timetable of the Ferry",
    "Record of Water Levels",
    "Instructions for the Bakehouse",
    "Summary of the Lantern Walk",
];

const HEADINGS: [&str; 10] = [
    "What was agreed",
    "Weather and tides",
    "Open questions",
    "Materials needed",
    "Who does what",
    "Costs so far",
    "Next steps",
    "Remarks",
    "Observations",
    "Before the meeting",
];

const SENTENCES: [&str; 36] = [
    "The lower quay was dry again by noon, and the barrels were rolled back under the roof.",
    "Nobody could say who had left the gate open, so a spring was fitted to close it.",
    "Two more lamps are wanted along the path between the mill and the landing.",
    "The beans came up early this year because the wall kept the wind away.",
    "A second key hangs behind the clock and must be put back before evening.",
    "We counted forty-one swallows on the wire and then gave up counting.",
    "The ferryman asks that bicycles be walked, not ridden, down the ramp.",
    "Tar should be warmed slowly and never left alone over the fire.",
    "Three of the old charts have been mended with rice paper and look well.",
    "The baker will start an hour earlier on market days until the end of August.",
    "Rain entered through the east window, but the ledgers on the shelf stayed dry.",
    "It was agreed by all but one that the bench should face the water.",
    "Please write names in full, since we now have three people called Anna.",
    "The pump gives nine buckets a minute when the tide is above the second mark.",
    "A small party went round by the cliff and came back with wet boots.",
    "Every rope is to be measured, labelled and hung on the peg of its own colour.",
    "The stove in the hall smokes when the wind is from the south-west.",
    "Children helped to paint the fence, and most of the paint is on the fence.",
    "The surveyor found the third pier sound and the fourth in need of new stone.",
    "Honey was sold out within the hour; more jars should be ordered for next year.",
    "There is no hurry about the roof, but the gutter cannot wait for another winter.",
    "Whoever borrows the long ladder must write it into the book by the door.",
    "The choir will sing from the upper deck if the sea is calm.",
    "Letters that arrive on Sunday are kept in the blue box until the office opens.",
    "The cost of the glass was lower than feared, thanks to the broken crate.",
    "Seedlings stand in the cold frame for a week before they are planted out.",
    "A lantern was carried at the front and another at the end of the line.",
    "The clerk read the figures twice, and twice they came to the same sum.",
    "Salt, flour and candles are enough for a month; lamp oil is not.",
    "Visitors should keep to the marked stones, as the grass is still young.",
    "The model of the old lighthouse has been moved to the window seat.",
    "If the bell rings three times, the afternoon crossing does not take place.",
    "Six planks of larch were delivered, one of them much too short.",
    "The evening ended with soup, and with a long talk about the price of coal.",
    "Moss was cleared from the steps, which are no longer slippery in the morning.",
    "The water had risen by a hand's breadth when the second reading was taken.",
];

const ITEMS: [&str; 16] = [
    "Coils of hemp rope",
    "Brass lamps",
    "Bags of lime",
    "Window panes",
    "Oak pegs",
    "Jars of honey",
    "Sail needles",
    "Iron hinges",
    "Wool blankets",
    "Writing paper",
    "Copper nails",
    "Seed trays",
    "Tins of varnish",
    "Fire buckets",
    "Clay pots",
    "Canvas sheets",
];

pub(super) const PLACES: [&str; 8] =
    ["Loft", "Cellar", "Boathouse", "Mill", "North store", "Workshop", "Hall", "Shed"];

pub(super) const LABELS: [&str; 8] = [
    "Name",
    "Street and town",
    "Date of visit",
    "Boat",
    "Remarks",
    "Received by",
    "Berth",
    "Number",
];

/// Phrases in random order, each of them once before any comes again.
pub(super) struct Deck {
    phrases: Vec<&'static str>,
    next: usize,
}

impl Deck {
    /// A shuffled deck of sentences.
    pub(super) fn of_sentences(random: &mut Rng) -> Self {
        Self::shuffled(random, &SENTENCES)
    }

    /// A shuffled deck of things that a store may hold.
    pub(super) fn of_items(random: &mut Rng) -> Self {
        Self::shuffled(random, &ITEMS)
    }

    /// A shuffled deck of headings.
    pub(super) fn of_headings(random: &mut Rng) -> Self {
        Self::shuffled(random, &HEADINGS)
    }

    /// The next phrase.
    pub(super) fn draw(&mut self) -> &'static str {
        let phrase = self.phrases[self.next % self.phrases.len()];
        self.next += 1;
        phrase
    }

    /// Several sentences in a row.
    pub(super) fn paragraph(&mut self, sentences: usize) -> String {
        let drawn: Vec<_> = (0..sentences).map(|_| self.draw()).collect();
        drawn.join(" ")
    }

    fn shuffled(random: &mut Rng, phrases: &[&'static str]) -> Self {
        let mut phrases = phrases.to_vec();
        random.shuffle(&mut phrases);
        Self { phrases, next: 0 }
    }
}

/// A day in a year of its own.
pub(super) fn date(random: &mut Rng) -> String {
    let months = ["March", "April", "May", "June", "September", "October", "November"];
    format!("{} {} {}", random.u32(1..29), pick(random, &months), random.u32(1987..2031))
}
