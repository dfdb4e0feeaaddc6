//! Writes a graph and its layout as SVG.

use std::fmt::Write as _;

use super::layout::{Arrow, LETTERS_MAX, LINE, Layout, Point, Rectangle, WORDS_INDENT, text_width};
use super::{Edge, Graph, Node, Note, Shape};

const LINE_COLOUR: &str = "#64748b";
const BACK_COLOUR: &str = "#b45309";

pub(super) fn write(
    graph: &Graph<'_>,
    layout: &Layout,
    notes: &dyn Fn(&str) -> Vec<Note>,
) -> String {
    let (width, height) = (layout.width.ceil(), layout.height.ceil());
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" \
         font-family=\"system-ui, 'DejaVu Sans', Helvetica, Arial, sans-serif\">\n<defs>"
    );
    for (id, colour) in [("onward", LINE_COLOUR), ("back", BACK_COLOUR)] {
        // Writing into a text cannot fail, here and below.
        let _ = write!(
            svg,
            "<marker id=\"arrow-{id}\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" \
             markerWidth=\"8\" markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">\
             <path d=\"M0 0.5 8 4 0 7.5z\" fill=\"{colour}\"/></marker>"
        );
    }
    svg.push_str("</defs>\n");
    for (edge, arrow) in graph.edges.iter().zip(&layout.arrows) {
        write_arrow(&mut svg, edge, arrow, layout.boxes[edge.from]);
    }
    for (node, rectangle) in graph.nodes.iter().zip(&layout.boxes) {
        write_box(&mut svg, node, *rectangle);
        write_notes(&mut svg, &notes(node.name), *rectangle);
    }
    // The words come last, so that no arrow crosses them.
    for (edge, arrow) in graph.edges.iter().zip(&layout.arrows) {
        write_words(&mut svg, edge, arrow, layout.boxes[edge.from]);
    }
    svg.push_str("</svg>\n");
    svg
}

fn write_arrow(svg: &mut String, edge: &Edge, arrow: &Arrow, from: Rectangle) {
    let path = match arrow.points.as_slice() {
        [] => {
            let (x, y) = (from.x + from.width / 2.0, from.y);
            let (left, right, top) = (x - 16.0, x + 16.0, y - 24.0);
            format!("M{left:.1} {y:.1}C{left:.1} {top:.1} {right:.1} {top:.1} {right:.1} {y:.1}")
        }
        points => curve(points, arrow.level),
    };
    let (class, marker, colour) = if arrow.back || edge.from == edge.to {
        ("route back", "back", BACK_COLOUR)
    } else {
        ("route", "onward", LINE_COLOUR)
    };
    let dashes = if arrow.back { " stroke-dasharray=\"5 3\"" } else { "" };
    let _ = writeln!(
        svg,
        "<path class=\"{class}\" d=\"{path}\" fill=\"none\" stroke=\"{colour}\" \
         stroke-width=\"1.4\"{dashes} marker-end=\"url(#arrow-{marker})\"/>"
    );
}

/// A smooth line that leaves and enters every point level. It runs straight under its words.
fn curve(points: &[Point], level: f64) -> String {
    let Some(((x, y), rest)) = points.split_first() else { return String::new() };
    let mut path = format!("M{x:.1} {y:.1}");
    let towards = rest.first().map_or(1.0, |next| if next.0 < *x { -1.0 } else { 1.0 });
    let mut at = (x + towards * level, *y);
    let _ = write!(path, "H{:.1}", at.0);
    for next in rest {
        let bend = (next.0 - at.0) / 2.0;
        let (first, second) = (at.0 + bend, next.0 - bend);
        let _ = write!(
            path,
            "C{first:.1} {:.1} {second:.1} {:.1} {:.1} {:.1}",
            at.1, next.1, next.0, next.1
        );
        at = *next;
    }
    path
}

fn write_words(svg: &mut String, edge: &Edge, arrow: &Arrow, from: Rectangle) {
    // The last line stands on the arrow, the others above it.
    let (x, y, anchor) = match arrow.points.first() {
        None => (from.x + from.width / 2.0, from.y - 20.0, "middle"),
        Some((x, y)) if arrow.back => (x - WORDS_INDENT, *y, "end"),
        Some((x, y)) => (x + WORDS_INDENT, *y, "start"),
    };
    let bottom = y - 3.5;
    let count = edge.lines.len() as f64;
    for (index, line) in edge.lines.iter().enumerate() {
        let y = bottom - (count - 1.0 - index as f64) * LINE;
        let _ = writeln!(
            svg,
            "<text class=\"label\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" \
             font-size=\"11\" fill=\"#334155\" stroke=\"#ffffff\" stroke-width=\"3\" \
             stroke-linejoin=\"round\" paint-order=\"stroke\">{}</text>",
            shown(line)
        );
    }
}

fn write_box(svg: &mut String, node: &Node<'_>, place: Rectangle) {
    let Rectangle { x, y, width, height } = place;
    let (class, fill, stroke) = match node.shape {
        Shape::Worker => ("stage", "#eff6ff", "#3b82f6"),
        Shape::Manual => ("stage manual", "#fffbeb", "#d97706"),
        Shape::Source => ("stage source", "#f0fdf4", "#16a34a"),
        Shape::Done => ("stage done", "#f1f5f9", "#475569"),
    };
    let radius = match node.shape {
        Shape::Source | Shape::Done => 22.0,
        Shape::Worker | Shape::Manual => 8.0,
    };
    let name = escape(node.name);
    let _ = write!(
        svg,
        "<g class=\"{class}\" data-stage=\"{name}\">\
         <rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
         rx=\"{radius}\" fill=\"{fill}\" stroke=\"{stroke}\" stroke-width=\"1.4\"/>"
    );
    if node.shape == Shape::Manual {
        // A second outline: somebody's desk.
        let _ = write!(
            svg,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"5\" \
             fill=\"none\" stroke=\"{stroke}\" stroke-width=\"0.7\"/>",
            x + 3.0,
            y + 3.0,
            width - 6.0,
            height - 6.0
        );
    }
    let middle = y + height / 2.0;
    let first = if node.kind.is_empty() { middle + 4.5 } else { middle - 3.0 };
    let texts = [
        ("name", node.name, first, 13.0, "#0f172a", "600"),
        ("type", node.kind, middle + 13.0, 11.0, "#475569", "400"),
    ];
    for (class, text, y, size, colour, weight) in texts {
        if text.is_empty() {
            continue;
        }
        // A font that runs wide is squeezed into the box.
        let room = width - 14.0;
        let fit = if text_width(text, size * 1.1) > room {
            format!(" textLength=\"{room:.1}\" lengthAdjust=\"spacingAndGlyphs\"")
        } else {
            String::new()
        };
        let _ = write!(
            svg,
            "<text class=\"{class}\" x=\"{:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" \
             font-size=\"{size}\" font-weight=\"{weight}\" fill=\"{colour}\"{fit}>{}</text>",
            x + width / 2.0,
            shown(text)
        );
    }
    svg.push_str("</g>\n");
}

/// What is to be said of a box, in one line below it.
fn write_notes(svg: &mut String, notes: &[Note], place: Rectangle) {
    if notes.is_empty() {
        return;
    }
    let (x, y) = (place.x + place.width / 2.0, place.y + place.height + 14.0);
    let _ = write!(
        svg,
        "<text class=\"notes\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" \
         font-size=\"11\" font-weight=\"600\" fill=\"#334155\">"
    );
    for (index, Note { class, text }) in notes.iter().enumerate() {
        let gap = if index == 0 { "" } else { " dx=\"7\"" };
        let _ = write!(svg, "<tspan class=\"note {class}\"{gap}>{}</tspan>", escape(text));
    }
    svg.push_str("</text>\n");
}

/// The text as far as there is room, whole in its tooltip when it is cut.
fn shown(text: &str) -> String {
    if text.chars().count() <= LETTERS_MAX {
        return escape(text);
    }
    let start: String = text.chars().take(LETTERS_MAX - 1).collect();
    format!("{}…<title>{}</title>", escape(&start), escape(text))
}

/// The text with nothing left that XML would take for itself or refuse.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {
                escaped.push(' ');
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}
