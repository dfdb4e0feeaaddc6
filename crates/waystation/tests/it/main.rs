//! The program as its users meet it: the real binary in folders of its own.
#![cfg(test)]

mod abort;
mod bad_files;
mod bad_input;
mod blobs;
mod bulk;
mod capabilities;
mod config;
mod contentflow;
mod crash;
mod dashboard;
mod doctor;
#[cfg(feature = "rabbitmq")]
mod dp3;
mod engines;
mod faults;
mod full_disk;
mod hooks;
mod keys;
mod leftovers;
mod operating;
mod pairs;
mod program;
mod served;
mod server;
mod shapes;
mod signals;
mod submit;
mod supervising;
mod taken;
mod top;
#[cfg(feature = "otlp")]
mod traces;
mod typed_states;
mod walk;
