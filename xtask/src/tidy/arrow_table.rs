//! The crate arrows that are allowed: which layer may depend on which.
//!
//! A new arrow is a design decision; `ARCHITECTURE.md` shows the same picture.

use Layer::{Adapter, App, Core, Engine, Executors, Facade, Memory, Server, Testing, Xtask};
use Members::{Folder, Named};

/// A crate, or a family of crates that the arrows treat alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Layer {
    Core,
    Engine,
    Executors,
    Server,
    Testing,
    /// The one adapter that tests of other crates may run on.
    Memory,
    Adapter,
    Facade,
    App,
    Xtask,
}

/// Which crates belong to a layer.
#[derive(Debug)]
pub enum Members {
    Named(&'static str),
    /// Every crate below this folder of the workspace.
    Folder(&'static str),
}

/// A line of the table.
pub type Row = (Layer, Members, &'static [Layer]);

/// Who may use whom, outside of tests. A crate belongs to the first row that names it.
#[rustfmt::skip] // A table reads as a table.
pub const TABLE: &[Row] = &[
    // Layer     its crates                     may use
    (Core,      Named("waystation-core"),      &[]),
    (Engine,    Named("waystation-engine"),    &[Core]),
    (Executors, Named("waystation-executors"), &[Core]),
    (Server,    Named("waystation-server"),    &[Engine, Core]),
    (Testing,   Named("waystation-testing"),   &[Core]),
    (Memory,    Named("waystation-memory"),    &[Core]),
    (Adapter,   Folder("adapters"),            &[Core]),
    (Facade,    Named("waystation"),           &[Core, Engine, Executors, Server, Memory, Adapter,
                                                 Testing]),
    (App,       Folder("apps"),                &[Facade]),
    (Xtask,     Named("xtask"),                &[]),
];

/// What the tests of every layer may use besides.
pub const TESTS_MAY_USE: &[Layer] = &[Testing, Memory];

/// The layers whose tests may use anything: only the façade's see the whole product at work.
pub const TESTS_MAY_USE_ANYTHING: &[Layer] = &[Facade];
