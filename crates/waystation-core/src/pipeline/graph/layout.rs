//! Places the boxes and arrows of a graph: a small layered layout from left to right.
//!
//! The steps are the usual ones (Sugiyama): turn the arrows that lead back, give every box the
//! layer after its last predecessor, break long arrows into pieces of one layer by waypoints,
//! order each layer by the barycentre of its neighbours, then give places. Every arrow leaves and
//! enters its boxes at a port of its own, and its words stand at the port where it leaves, so
//! that no words can cover others.

use super::Graph;
use super::layers::{back_edges, layers};

/// How tall one line of words is.
pub(super) const LINE: f64 = 14.0;
/// The most letters of a name, a type or a line of words that are shown.
pub(super) const LETTERS_MAX: usize = 34;

const MARGIN: f64 = 16.0;
const BOX_HEIGHT_MIN: f64 = 46.0;
const BOX_WIDTH_MIN: f64 = 76.0;
const ROW_GAP: f64 = 26.0;
const PORT_HEIGHT_MIN: f64 = 20.0;
/// What an arrow needs to bend in, beside the room for its words.
const BEND: f64 = 56.0;
/// From a box to the words of an arrow.
pub(super) const WORDS_INDENT: f64 = 9.0;
/// What an arrow from a box to itself needs above the box.
const LOOP_HEIGHT: f64 = 22.0;
const SWEEPS: usize = 12;

/// A point of the picture.
pub(super) type Point = (f64, f64);

/// Where everything is.
pub(super) struct Layout {
    /// How wide the picture is.
    pub width: f64,
    /// How tall the picture is.
    pub height: f64,
    /// The boxes, by the graph's nodes.
    pub boxes: Vec<Rectangle>,
    /// The arrows, by the graph's edges.
    pub arrows: Vec<Arrow>,
}

/// The place of a box.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rectangle {
    /// The left side.
    pub x: f64,
    /// The upper side.
    pub y: f64,
    /// The width.
    pub width: f64,
    /// The height.
    pub height: f64,
}

/// The way of an arrow.
pub(super) struct Arrow {
    /// From tail to head. An arrow from a box to itself has none.
    pub points: Vec<Point>,
    /// Whether it leads back.
    pub back: bool,
    /// How far it runs level from its tail, under its words.
    pub level: f64,
}

/// A box or a waypoint of a long arrow.
struct Vertex {
    layer: usize,
    width: f64,
    height: f64,
    /// Room above the box for arrows to itself.
    above: f64,
    /// The middle.
    y: f64,
    left: Vec<usize>,
    right: Vec<usize>,
}

/// An edge as a chain of vertices from left to right.
struct Chain {
    vertices: Vec<usize>,
    back: bool,
}

impl Layout {
    pub fn new(graph: &Graph<'_>) -> Self {
        let back = back_edges(graph);
        let layers = layers(graph, &back);
        let mut drawing = Drawing::new(graph, &back, &layers);
        drawing.order();
        drawing.align();
        drawing.finish(graph)
    }
}

/// How wide a text is at this size, in a usual sans serif, rather too much than too little.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let wide = |letter: char| if letter.is_ascii() { 0.6 } else { 1.0 };
    text.chars().take(LETTERS_MAX).map(wide).sum::<f64>() * size
}

struct Drawing {
    vertices: Vec<Vertex>,
    /// The vertices of each layer from top to bottom.
    rows: Vec<Vec<usize>>,
    chains: Vec<Chain>,
}

impl Drawing {
    fn new(graph: &Graph<'_>, back: &[bool], layers: &[usize]) -> Self {
        let count = layers.iter().max().map_or(0, |last| last + 1);
        let mut drawing =
            Self { vertices: Vec::new(), rows: vec![Vec::new(); count], chains: Vec::new() };
        for (index, node) in graph.nodes.iter().enumerate() {
            let name = text_width(node.name, 13.0).max(text_width(node.kind, 11.0));
            let loops = graph.edges.iter().filter(|edge| (edge.from, edge.to) == (index, index));
            let lines: usize = loops.clone().map(|edge| edge.lines.len()).sum();
            let looped = loops.count() > 0;
            drawing.add(Vertex {
                layer: layers[index],
                width: (name + 26.0).max(BOX_WIDTH_MIN),
                height: BOX_HEIGHT_MIN,
                above: if looped { LOOP_HEIGHT + lines as f64 * LINE } else { 0.0 },
                y: 0.0,
                left: Vec::new(),
                right: Vec::new(),
            });
        }
        for (edge, back) in graph.edges.iter().zip(back) {
            drawing.connect(edge.from, edge.to, *back);
        }
        drawing.stretch(graph);
        drawing
    }

    fn add(&mut self, vertex: Vertex) -> usize {
        let index = self.vertices.len();
        self.rows[vertex.layer].push(index);
        self.vertices.push(vertex);
        index
    }

    /// Lays the way of an edge over waypoints, one in each layer between its ends.
    fn connect(&mut self, from: usize, to: usize, back: bool) {
        let mut vertices = Vec::new();
        if from != to {
            let (left, right) = if back { (to, from) } else { (from, to) };
            vertices.push(left);
            for layer in self.vertices[left].layer + 1..self.vertices[right].layer {
                let empty = Vec::new;
                let (left, right) = (empty(), empty());
                let (width, height, above, y) = (0.0, LINE, 0.0, 0.0);
                vertices.push(self.add(Vertex { layer, width, height, above, y, left, right }));
            }
            vertices.push(right);
            for pair in vertices.windows(2) {
                self.vertices[pair[0]].right.push(pair[1]);
                self.vertices[pair[1]].left.push(pair[0]);
            }
        }
        self.chains.push(Chain { vertices, back });
    }

    /// Makes boxes tall enough for the ports on each side and the words beside them.
    fn stretch(&mut self, graph: &Graph<'_>) {
        for node in 0..graph.nodes.len() {
            let mut sides = [0.0_f64; 2];
            for (chain, edge) in self.chains.iter().zip(&graph.edges) {
                let ends = (chain.vertices.first(), chain.vertices.last());
                for (side, end) in [ends.0, ends.1].into_iter().enumerate() {
                    if end == Some(&node) {
                        sides[side] += port_height(edge.lines.len());
                    }
                }
            }
            let needed = sides[0].max(sides[1]) + 14.0;
            self.vertices[node].height = self.vertices[node].height.max(needed);
        }
    }

    /// Orders each layer by the middle of its neighbours, to and fro until it settles.
    fn order(&mut self) {
        for sweep in 0..SWEEPS {
            let forward = sweep % 2 == 0;
            let mut places = vec![0.0; self.vertices.len()];
            for row in &self.rows {
                for (place, vertex) in row.iter().enumerate() {
                    places[*vertex] = place as f64;
                }
            }
            let count = self.rows.len();
            for step in 1..count {
                let layer = if forward { step } else { count - 1 - step };
                let mut row = std::mem::take(&mut self.rows[layer]);
                let key = |index: &usize| {
                    let vertex = &self.vertices[*index];
                    let neighbours = if forward { &vertex.left } else { &vertex.right };
                    mean(neighbours.iter().map(|other| places[*other])).unwrap_or(places[*index])
                };
                let mut keyed: Vec<(f64, usize)> = row.iter().map(|v| (key(v), *v)).collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                row.clear();
                for (place, (_, vertex)) in keyed.into_iter().enumerate() {
                    places[vertex] = place as f64;
                    row.push(vertex);
                }
                self.rows[layer] = row;
            }
        }
    }

    /// Gives heights: each vertex as near to the middle of its neighbours as its row allows.
    fn align(&mut self) {
        for row in 0..self.rows.len() {
            self.spread(row);
        }
        for sweep in 0..SWEEPS * 2 {
            let count = self.rows.len();
            for step in 0..count {
                let forward = sweep % 2 == 0;
                let layer = if forward { step } else { count - 1 - step };
                for index in self.rows[layer].clone() {
                    let vertex = &self.vertices[index];
                    let neighbours = if forward { &vertex.left } else { &vertex.right };
                    let middle = mean(neighbours.iter().map(|other| self.vertices[*other].y));
                    self.vertices[index].y = middle.unwrap_or(vertex.y);
                }
                self.spread(layer);
            }
        }
    }

    /// Moves the vertices of a row apart until none overlap, around where they want to be.
    fn spread(&mut self, layer: usize) {
        let row = &self.rows[layer];
        let wished: Vec<f64> = row.iter().map(|index| self.vertices[*index].y).collect();
        let mut placed: Vec<f64> = Vec::new();
        let mut bottom = f64::NEG_INFINITY;
        for (index, wish) in row.iter().zip(&wished) {
            let vertex = &self.vertices[*index];
            let y = wish.max(bottom + ROW_GAP + vertex.above + vertex.height / 2.0);
            bottom = y + vertex.height / 2.0;
            placed.push(y);
        }
        // Pushing only downwards leans the row; half of the lean goes back.
        let lean = placed.iter().zip(&wished).map(|(placed, wish)| placed - wish);
        let lean = mean(lean).unwrap_or_default();
        for (index, y) in row.iter().zip(placed) {
            self.vertices[*index].y = y - lean;
        }
    }

    fn finish(mut self, graph: &Graph<'_>) -> Layout {
        let (columns, width) = self.columns(graph);
        let top = self.vertices.iter().map(|v| v.y - v.height / 2.0 - v.above);
        let top = top.fold(f64::INFINITY, f64::min);
        for vertex in &mut self.vertices {
            vertex.y += MARGIN - if top.is_finite() { top } else { 0.0 };
        }
        let bottom = self.vertices.iter().map(|v| v.y + v.height / 2.0).fold(0.0, f64::max);
        let boxes: Vec<Rectangle> = self.vertices[..graph.nodes.len()]
            .iter()
            .map(|vertex| Rectangle {
                x: columns[vertex.layer].x + (columns[vertex.layer].width - vertex.width) / 2.0,
                y: vertex.y - vertex.height / 2.0,
                width: vertex.width,
                height: vertex.height,
            })
            .collect();
        let arrows = self.arrows(graph, &columns, &boxes);
        Layout { width, height: bottom + MARGIN, boxes, arrows }
    }

    /// Where each layer stands, and how wide all are together.
    fn columns(&self, graph: &Graph<'_>) -> (Vec<Rectangle>, f64) {
        let mut columns = Vec::new();
        let mut x = MARGIN;
        for (layer, row) in self.rows.iter().enumerate() {
            let width = row.iter().map(|index| self.vertices[*index].width).fold(0.0, f64::max);
            columns.push(Rectangle { x, width, ..Rectangle::default() });
            x += width;
            if layer + 1 < self.rows.len() {
                let [forward, back] = self.words_in_gap(graph, layer);
                x += BEND + forward + back;
            }
        }
        (columns, x + MARGIN)
    }

    /// The room for the words of the arrows that leave to the right of this layer, and of those
    /// that leave to the left of the next.
    fn words_in_gap(&self, graph: &Graph<'_>, layer: usize) -> [f64; 2] {
        let mut room = [0.0_f64; 2];
        for (chain, edge) in self.chains.iter().zip(&graph.edges) {
            let Some(tail) = chain.tail() else { continue };
            let gap = self.vertices[tail].layer.saturating_sub(usize::from(chain.back));
            if gap == layer {
                let side = &mut room[usize::from(chain.back)];
                *side = side.max(words_width(&edge.lines));
            }
        }
        room
    }

    fn arrows(&self, graph: &Graph<'_>, columns: &[Rectangle], boxes: &[Rectangle]) -> Vec<Arrow> {
        let [right, left] = [false, true].map(|head| self.ports(graph, head));
        let mut arrows = Vec::new();
        for (index, (chain, edge)) in self.chains.iter().zip(&graph.edges).enumerate() {
            let mut points: Vec<Point> = Vec::new();
            let last = chain.vertices.len().saturating_sub(1);
            for (place, vertex) in chain.vertices.iter().enumerate() {
                let Vertex { layer, y, .. } = self.vertices[*vertex];
                let column = columns[layer];
                if place == 0 {
                    points.push((boxes[*vertex].x + boxes[*vertex].width, right[index]));
                } else if place == last {
                    points.push((boxes[*vertex].x, left[index]));
                } else {
                    points.push((column.x, y));
                    points.push((column.x + column.width, y));
                }
            }
            if chain.back {
                points.reverse();
            }
            let level = words_width(&edge.lines).max(6.0);
            arrows.push(Arrow { points, back: chain.back, level });
        }
        arrows
    }

    /// The height at which each edge touches its left end (`head` false) or its right end. The
    /// edges of one box stand in the order of where they lead.
    fn ports(&self, graph: &Graph<'_>, head: bool) -> Vec<f64> {
        let mut ports = vec![0.0; self.chains.len()];
        let mut touching: Vec<Vec<(f64, usize)>> = vec![Vec::new(); graph.nodes.len()];
        for (index, chain) in self.chains.iter().enumerate() {
            let (end, next) = match chain.vertices.as_slice() {
                [.., next, end] if head => (end, next),
                [end, next, ..] => (end, next),
                _ => continue,
            };
            touching[*end].push((self.vertices[*next].y, index));
        }
        for (node, mut touching) in touching.into_iter().enumerate() {
            touching.sort_by(|a, b| a.0.total_cmp(&b.0));
            let height = |index: usize| port_height(graph.edges[index].lines.len());
            let total: f64 = touching.iter().map(|(_, index)| height(*index)).sum();
            let mut y = self.vertices[node].y - total / 2.0;
            for (_, index) in touching {
                // Below the middle when several lines stand on the arrow.
                ports[index] = y + height(index) - PORT_HEIGHT_MIN / 2.0;
                y += height(index);
            }
        }
        ports
    }
}

impl Chain {
    /// The vertex that the arrow leaves.
    fn tail(&self) -> Option<usize> {
        let end = if self.back { self.vertices.last() } else { self.vertices.first() };
        end.copied()
    }
}

fn port_height(lines: usize) -> f64 {
    (lines as f64 * LINE + 4.0).max(PORT_HEIGHT_MIN)
}

/// How long an arrow must run level for its words to stand on it.
fn words_width(lines: &[String]) -> f64 {
    let width = lines.iter().map(|line| text_width(line, 11.0)).fold(0.0, f64::max);
    if width > 0.0 { width + 2.0 * WORDS_INDENT } else { 0.0 }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}
