//! Letters that nobody submits: a source finds them, a fan-out reads their pages, and no program
//! asks for the last stage's work.

/// The pipeline.
pub const LETTERS: &str = "
pipeline:
  name: letters
  description: Finds letters in the post room, and has every page read.
  stages:
    - { id: find, type: post_room, settings: { polling_interval_seconds: 15 } }
    - { id: open, type: opener }
    - { id: read, type: quick }
    - { id: bind, type: quick, join: { collect: { readers: read_by } } }
    - { id: translate, type: remote }
  routes:
    - { from: find, to: open }
    - { from: open, to: read, each: pages, as: page }
    - { from: read, to: bind }
    - { from: bind, to: translate }
    - { from: translate, to: done }
";
