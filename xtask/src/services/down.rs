//! `services down`: stops what `up` started from this workspace, and nothing else.

use std::path::Path;

use super::place::Place;
use super::probe::{Answer, probe};
use super::started::{self, Started};
use super::{Service, fail_with_all, lock, machine, up};

/// Stops those of the services that were started from here.
pub fn down(root: &Path, services: &[&Service]) -> anyhow::Result<()> {
    let place = Place::of(root);
    let find = |service: &&Service| started::find(&place, service).is_some();
    let ours: Vec<&Service> = services.iter().copied().filter(find).collect();
    // Only who has something to stop must be able to.
    let lock = if ours.is_empty() {
        None
    } else {
        machine::check(&ours)?;
        Some(lock::acquire()?)
    };
    let mut problems = Vec::new();
    for service in services {
        match started::find(&place, service) {
            Some(Started { pid, .. }) => match up::stop(&place, service, pid) {
                Ok(()) => eprintln!("services: {} is stopped", service.name),
                Err(error) => problems.push(error.context(service.name)),
            },
            None => tell_why_not(service),
        }
    }
    drop(lock);
    fail_with_all(&problems)
}

fn tell_why_not(service: &Service) {
    let Service { name, port, .. } = service;
    match probe(service) {
        Answer::Nothing => eprintln!("services: {name} does not run"),
        Answer::Serves | Answer::Unfit(_) => {
            eprintln!("services: {name}: 127.0.0.1:{port} is served by another, left alone");
        }
    }
}
