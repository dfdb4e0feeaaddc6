//! Charts, as SVG that stretches to its place; their words stand beside it as HTML, so that they
//! stay readable on a phone.

use std::fmt::Write;

use maud::{Markup, html};

use super::badge::two;

/// A line or a layer of bars.
pub struct Series {
    /// What it shows.
    pub name: &'static str,
    /// The class that colours it.
    pub class: &'static str,
    /// A value for each place; none where nothing is known.
    pub values: Vec<Option<f64>>,
}

/// What all charts have.
pub struct Chart<'a> {
    /// What it shows, for those who do not see it.
    pub label: String,
    /// The layers or lines. All have equally many values.
    pub series: Vec<Series>,
    /// What each place is called.
    pub places: Vec<String>,
    /// How a value is written.
    pub write: &'a dyn Fn(f64) -> String,
}

const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;
const TICKS: usize = 5;
/// How much of a place's width a point alone takes.
const DASH: f64 = 0.8;

impl Chart<'_> {
    /// Bars on top of each other, one pile a place.
    pub fn bars(&self) -> Markup {
        let piles = (0..self.places.len()).map(|place| self.pile(place));
        let most = nice(piles.fold(0.0, f64::max));
        let step = WIDTH / self.places.len().max(1) as f64;
        let width = (step - 1.0).max(0.5);
        let marks = html! {
            @for place in 0..self.places.len() {
                @for (class, y, height) in self.layers(place, most) {
                    rect class={ "fill-" (class) } x=(two(place as f64 * step + 0.5)) y=(two(y))
                        width=(two(width)) height=(two(height)) {}
                }
            }
        };
        self.frame(most, &marks)
    }

    /// Lines, broken where nothing is known.
    pub fn lines(&self) -> Markup {
        let all = self.series.iter().flat_map(|series| series.values.iter().flatten());
        let most = nice(all.copied().fold(0.0, f64::max));
        let step = WIDTH / self.places.len().max(1) as f64;
        let marks = html! {
            @for series in &self.series {
                path class={ "line-" (series.class) } fill="none"
                    d=(path(&series.values, step, most)) vector-effect="non-scaling-stroke" {}
            }
        };
        self.frame(most, &marks)
    }

    /// The layers of a pile that can be seen, from the lowest one up: class, place and height.
    fn layers(&self, place: usize, most: f64) -> Vec<(&'static str, f64, f64)> {
        let mut y = HEIGHT;
        let layer = |series: &Series| {
            let height = series.values.get(place).copied().flatten()? / most * HEIGHT;
            y -= height;
            (height > 0.0).then_some((series.class, y, height))
        };
        self.series.iter().filter_map(layer).collect()
    }

    fn pile(&self, place: usize) -> f64 {
        let values = self.series.iter().filter_map(|series| series.values.get(place)?.as_ref());
        values.sum()
    }

    fn frame(&self, most: f64, marks: &Markup) -> Markup {
        let step = WIDTH / self.places.len().max(1) as f64;
        html! {
            div.chart {
                div.scale aria-hidden="true" {
                    span { ((self.write)(most)) } span { ((self.write)(most / 2.0)) } span { "0" }
                }
                svg.plot viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none"
                    role="img" aria-label=(self.label) {
                    @for line in 0..3 {
                        @let y = (HEIGHT / 2.0 * f64::from(line)).clamp(0.5, HEIGHT - 0.5);
                        line.grid x1="0" x2=(WIDTH) y1=(y) y2=(y)
                            vector-effect="non-scaling-stroke" {}
                    }
                    (marks)
                    @for (place, name) in self.places.iter().enumerate() {
                        rect.hit x=(two(place as f64 * step)) y="0" width=(two(step))
                            height=(HEIGHT) { title { (name) (self.words(place)) } }
                    }
                }
                span.zone aria-hidden="true" { "UTC" }
                div.places aria-hidden="true" {
                    @for place in self.ticks() { span { (place) } }
                }
            }
        }
    }

    /// The places that are named below: as many as stand well beside each other on a phone.
    fn ticks(&self) -> impl Iterator<Item = &str> {
        let last = self.places.len().saturating_sub(1);
        let place = move |tick: usize| self.places.get(last * tick / (TICKS - 1));
        (0..TICKS).filter_map(place).map(String::as_str)
    }

    /// What a place holds, in words.
    fn words(&self, place: usize) -> String {
        let mut words = String::new();
        for series in &self.series {
            if let Some(value) = series.values.get(place).copied().flatten() {
                // Writing into a text cannot fail.
                let _ = write!(words, "\n{}: {}", series.name, (self.write)(value));
            }
        }
        words
    }

    /// Which colour is which.
    pub fn legend(&self) -> Markup {
        html! {
            ul.legend {
                @for series in &self.series {
                    li {
                        span.swatch.{ "swatch-" (series.class) } aria-hidden="true" {}
                        (series.name)
                    }
                }
            }
        }
    }
}

fn path(values: &[Option<f64>], step: f64, most: f64) -> String {
    let mut path = String::new();
    let mut is_on = false;
    for (place, value) in values.iter().enumerate() {
        let Some(value) = value else {
            is_on = false;
            continue;
        };
        let (x, y) = ((place as f64 + 0.5) * step, HEIGHT - value / most * HEIGHT);
        // A point alone is drawn as a dash, which can be seen; writing into a text cannot fail.
        let goes_on = values.get(place + 1).is_some_and(Option::is_some);
        let _ = match (is_on, goes_on) {
            (true, _) => write!(path, "L{x:.1} {y:.1}"),
            (false, true) => write!(path, "M{x:.1} {y:.1}"),
            (false, false) => {
                let half = step * DASH / 2.0;
                write!(path, "M{:.1} {y:.1}L{:.1} {y:.1}", x - half, x + half)
            }
        };
        is_on = true;
    }
    path
}

/// The smallest of some round numbers that is not below this: its half is round, too.
fn nice(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= value * 0.999_999).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: Vec<Option<f64>>) -> Chart<'static> {
        let places = (0..values.len()).map(|place| format!("p{place}")).collect();
        let series = vec![Series { name: "done", class: "completed", values }];
        Chart { label: "a chart".into(), series, places, write: &|value| format!("{value}") }
    }

    #[test]
    fn scales_end_at_round_numbers() {
        for (value, end) in [(0.0, 1.0), (0.7, 0.8), (1.0, 1.0), (2.4, 3.0), (240.0, 300.0)] {
            assert!((nice(value) - end).abs() < 1e-9, "{value}: {}", nice(value));
        }
    }

    #[test]
    fn bars_stand_on_the_ground_and_say_what_they_are() {
        let drawn = chart(vec![Some(5.0), None]).bars().into_string();
        assert!(drawn.contains(r#"y="20.00" width="299.00" height="100.00""#), "{drawn}");
        assert!(drawn.contains("<title>p0\ndone: 5</title>"), "{drawn}");
        assert!(drawn.contains("<title>p1</title>"), "{drawn}");
    }

    #[test]
    fn lines_break_where_nothing_is_known() {
        assert_eq!(
            path(&[Some(1.0), Some(0.5), None, Some(0.0)], 10.0, 1.0),
            "M5.0 0.0L15.0 60.0M31.0 120.0L39.0 120.0"
        );
    }
}
