//! The chain on real pixels: how good it is, that both classifiers agree, and the program itself.
#![cfg(test)]

mod accuracy;
mod chain;
mod classifiers;
mod program;
