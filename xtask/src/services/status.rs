//! `services status`: who answers, since when, and where tests find it.

use std::path::Path;

use super::Service;
use super::place::Place;
use super::probe::{Answer, probe};
use super::started::{self, Started};

/// A line for each service.
pub fn status(root: &Path, services: &[&Service]) -> String {
    let place = Place::of(root);
    let line = |service: &&Service| {
        let started = started::find(&place, service);
        line(service, &probe(service), started.as_ref(), started::now_s())
    };
    services.iter().map(line).collect()
}

fn line(service: &Service, answer: &Answer, started: Option<&Started>, now_s: u64) -> String {
    let Service { name, port, url, .. } = service;
    let age = |started: &Started| duration(now_s.saturating_sub(started.at_s));
    let text = match (answer, started.map(age)) {
        (Answer::Serves, Some(age)) => format!("serves {url}, started from here {age} ago"),
        (Answer::Serves, None) => format!("serves {url}, not started from here"),
        (Answer::Nothing, Some(age)) => {
            format!("started from here {age} ago, and nothing answers on 127.0.0.1:{port}")
        }
        (Answer::Nothing, None) => format!("nothing answers on 127.0.0.1:{port}"),
        (Answer::Unfit(why), _) => format!("127.0.0.1:{port} cannot serve the tests: {why}"),
    };
    format!("{name:<8}  {text}\n")
}

/// The two largest units that are not zero.
fn duration(seconds: u64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match (hours / 24, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        (days, ..) => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::{duration, line};
    use crate::services::ALL;
    use crate::services::probe::Answer;

    #[test]
    fn durations_have_two_units_at_most() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min 0 s"),
            (3_599, "59 min 59 s"),
            (3_660, "1 h 1 min"),
            (90_000, "1 d 1 h"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(duration(seconds), expected);
        }
    }

    #[test]
    fn each_answer_has_its_line() {
        let redis = ALL[2];
        let cases = [
            (Answer::Nothing, "redis     nothing answers on 127.0.0.1:6379\n"),
            (Answer::Serves, "redis     serves redis://127.0.0.1:6379, not started from here\n"),
            (
                Answer::Unfit("no Redis".to_owned()),
                "redis     127.0.0.1:6379 cannot serve the tests: no Redis\n",
            ),
        ];
        for (answer, expected) in cases {
            assert_eq!(line(redis, &answer, None, 0), expected);
        }
    }
}
