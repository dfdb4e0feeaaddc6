//! `services up`: what does not answer yet is installed, started, and waited for.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};

use super::place::Place;
use super::probe::{Answer, connect, probe};
use super::{Service, apt, command, daemon, fail_with_all, lock, machine, started};

/// How long a started server may take to serve; RabbitMQ takes eight seconds on two cores.
const SERVES_MAX: Duration = Duration::from_mins(2);
/// How long a server that somebody else started may still take.
const OTHER_SERVES_MAX: Duration = Duration::from_secs(15);

/// Brings the services up. What serves already is left as it is.
pub fn up(root: &Path, services: &[&'static Service]) -> anyhow::Result<()> {
    let start = Instant::now();
    let place = Place::of(root);
    let lacking: Vec<_> = services.iter().copied().filter(|one| !serves(one)).collect();
    let mut missing = Vec::new();
    if !lacking.is_empty() {
        machine::check(&lacking)?;
        place.create()?;
        let _lock = lock::acquire()?;
        // Another caller may have started them while this one waited.
        missing = missing_of(&place, &lacking)?;
        install(&place, &missing)?;
        start_all(&place, &missing, start)?;
    }
    let had = |service: &&&Service| !missing.iter().any(|one| one.name == service.name);
    for Service { name, port, .. } in services.iter().filter(had) {
        eprintln!("services: {name} served on 127.0.0.1:{port} already");
    }
    Ok(())
}

fn serves(service: &Service) -> bool {
    let Service { name, port, .. } = service;
    match probe(service) {
        Answer::Serves => return true,
        Answer::Nothing => eprintln!("services: {name}: nothing answers on 127.0.0.1:{port}"),
        Answer::Unfit(why) => eprintln!("services: {name}: 127.0.0.1:{port}: {why}"),
    }
    false
}

/// Those to be started; fails when there is one whose port another has.
///
/// A server of somebody else that is not yet ready gets some time before it counts as unfit; one
/// that was started from here and is unfit is started again.
fn missing_of(
    place: &Place,
    services: &[&'static Service],
) -> anyhow::Result<Vec<&'static Service>> {
    let mut missing = Vec::new();
    let mut problems = Vec::new();
    // Its error says less than the problems do.
    let _ = command::wait_until("servers of others", OTHER_SERVES_MAX, || {
        missing.clear();
        problems.clear();
        for service in services {
            match probe(service) {
                Answer::Serves => {}
                Answer::Unfit(why) if started::find(place, service).is_none() => {
                    problems.push(unfit(service, &why));
                }
                Answer::Nothing | Answer::Unfit(_) => missing.push(*service),
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(String::new()) }
    });
    fail_with_all(&problems)?;
    Ok(missing)
}

fn unfit(service: &Service, why: &str) -> anyhow::Error {
    let Service { name, port, remedy, .. } = service;
    anyhow!(
        "{name}: what listens on 127.0.0.1:{port} cannot serve the tests: {why}\nhint: {remedy}"
    )
}

fn install(place: &Place, services: &[&Service]) -> anyhow::Result<()> {
    let packages: Vec<&str> = services.iter().flat_map(|one| one.packages).copied().collect();
    let names: Vec<&str> = services.iter().map(|service| service.name).collect();
    apt::install(place, &packages).with_context(|| names.join(", "))
}

/// Starts them side by side, then waits for each; one that fails does not hinder the others.
fn start_all(place: &Place, services: &[&Service], start: Instant) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    let mut launched = Vec::new();
    for service in services {
        match launch(place, service) {
            Ok(pid) => launched.push((service, pid)),
            Err(error) => problems.push(error.context(service.name)),
        }
    }
    for (service, pid) in launched {
        let Service { name, port, .. } = service;
        match settle(place, service, pid) {
            Ok(()) => {
                let took = start.elapsed().as_secs_f64();
                eprintln!("services: {name} serves on 127.0.0.1:{port} after {took:.1} s");
            }
            Err(error) => {
                problems.push(error.context(*name));
                problems.extend(give_up(place, service).err());
            }
        }
    }
    fail_with_all(&problems)
}

fn launch(place: &Place, service: &Service) -> anyhow::Result<u32> {
    if let Some(started) = started::find(place, service) {
        // An earlier caller was interrupted, or the server hangs.
        eprintln!("services: {} runs and does not answer, so it is stopped first", service.name);
        stop(place, service, started.pid)?;
    }
    for port in service.side_ports {
        ensure!(connect(*port).is_err(), "it needs 127.0.0.1:{port}, where another listens");
    }
    started::announce(place, service)?;
    (service.start)(place)?;
    started::record(place, service).map_err(|error| with_log(place, service, &error))
}

/// Waits until the service serves and has what tests expect.
fn settle(place: &Place, service: &Service, pid: u32) -> anyhow::Result<()> {
    let serve = || -> anyhow::Result<()> {
        wait_for_port(service, pid)?;
        if let Some(prepare) = service.prepare {
            prepare(place)?;
        }
        wait_to_serve(service, pid)
    };
    serve().map_err(|error| with_log(place, service, &error))
}

fn wait_for_port(service: &Service, pid: u32) -> anyhow::Result<()> {
    wait_for(service, pid, |answer| !matches!(answer, Answer::Nothing))
}

fn wait_to_serve(service: &Service, pid: u32) -> anyhow::Result<()> {
    wait_for(service, pid, |answer| matches!(answer, Answer::Serves))
}

/// Waits for such an answer; fails at once when the process has ended.
fn wait_for(
    service: &Service,
    pid: u32,
    is_wanted: impl Fn(&Answer) -> bool,
) -> anyhow::Result<()> {
    let mut ended = false;
    let port = service.port;
    command::wait_until(&format!("an answer on 127.0.0.1:{port}"), SERVES_MAX, || {
        let answer = probe(service);
        ended = started::birth(pid).is_none();
        if ended || is_wanted(&answer) {
            return Ok(());
        }
        Err(match answer {
            Answer::Unfit(why) => why,
            Answer::Nothing | Answer::Serves => "nothing listens".to_owned(),
        })
    })?;
    if ended {
        bail!("process {pid} has ended instead of answering on 127.0.0.1:{port}");
    }
    Ok(())
}

/// Stops a server that does not serve, so that the next caller finds the port free.
fn give_up(place: &Place, service: &Service) -> anyhow::Result<()> {
    match started::find(place, service) {
        Some(started) => stop(place, service, started.pid).context(service.name),
        None => Ok(()),
    }
}

/// Stops what was started, and forgets it.
pub fn stop(place: &Place, service: &Service, pid: u32) -> anyhow::Result<()> {
    let stop = || {
        (service.stop)(place, pid)?;
        daemon::wait_for_end(pid)
    };
    stop().map_err(|error| with_log(place, service, &error))?;
    started::forget(place, service);
    Ok(())
}

/// The error, and below it the end of what the server itself has logged.
fn with_log(place: &Place, service: &Service, error: &anyhow::Error) -> anyhow::Error {
    let tail = command::tail(&(service.log)(place));
    anyhow!("{error:#}\n{tail}")
}
