//! Pictures of a pipeline: Mermaid text for documents, SVG for the dashboard and the terminal's
//! user.

mod layers;
mod layout;
mod mermaid;
mod svg;
#[cfg(test)]
mod tests;

use super::{Catalog, FanOut, Over, Pipeline, Route, StageKind, Target};

/// What a picture shows: the stages, perhaps the job's end, and arrows with their words.
struct Graph<'a> {
    nodes: Vec<Node<'a>>,
    edges: Vec<Edge>,
}

struct Node<'a> {
    /// The stage's name, or `done`.
    name: &'a str,
    /// The stage's type; empty for `done`.
    kind: &'a str,
    shape: Shape,
}

/// A few words below a box, as how many jobs are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// By which class a style sheet colours it, beside `note`.
    pub class: &'static str,
    /// The words.
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Worker,
    Manual,
    Source,
    Done,
}

struct Edge {
    from: usize,
    to: usize,
    /// What the routes ask for, one line each. Routes between the same two stages share an arrow.
    lines: Vec<String>,
}

impl Pipeline {
    /// The pipeline as a Mermaid flowchart. Also pipelines with problems can be drawn: routes
    /// whose ends do not exist are left out.
    pub fn to_mermaid(&self, catalog: &dyn Catalog) -> String {
        mermaid::write(&Graph::new(self, catalog))
    }

    /// The pipeline as an SVG picture. Its colours are attributes that a page's style sheet may
    /// override by the classes `stage`, `manual`, `source`, `done`, `name`, `type`, `route`,
    /// `back` and `label`; each stage's group bears its name as `data-stage`.
    pub fn to_svg(&self, catalog: &dyn Catalog) -> String {
        self.to_svg_with(catalog, &|_| Vec::new())
    }

    /// The same with notes below the boxes: `notes` is asked with the name of each stage.
    pub fn to_svg_with(&self, catalog: &dyn Catalog, notes: &dyn Fn(&str) -> Vec<Note>) -> String {
        let graph = Graph::new(self, catalog);
        svg::write(&graph, &layout::Layout::new(&graph), notes)
    }
}

impl<'a> Graph<'a> {
    fn new(pipeline: &'a Pipeline, catalog: &dyn Catalog) -> Self {
        let mut graph = Self { nodes: Vec::new(), edges: Vec::new() };
        for stage in &pipeline.stages {
            let shape = match catalog.kind(&stage.kind) {
                Some(StageKind::Manual) => Shape::Manual,
                Some(StageKind::Source) => Shape::Source,
                Some(StageKind::Worker | StageKind::Foreign | StageKind::Remote) | None => {
                    Shape::Worker
                }
            };
            graph.nodes.push(Node { name: stage.id.as_str(), kind: &stage.kind, shape });
        }
        let done = graph.nodes.len();
        let find = |id: &str| pipeline.stages.iter().position(|stage| stage.id.as_str() == id);
        for route in &pipeline.routes {
            let Some(from) = find(route.from.as_str()) else { continue };
            for to in route.to.stages().filter_map(|to| find(to.as_str())) {
                graph.connect(from, to, words(route));
            }
            if route.to == Target::Done {
                graph.connect(from, done, words(route));
            }
        }
        for index in 0..done {
            // A stage that no route leads out of is a job's last one.
            let last = !graph.edges.iter().any(|edge| edge.from == index);
            if last && graph.nodes[index].shape != Shape::Source {
                graph.connect(index, done, String::new());
            }
        }
        if graph.edges.iter().any(|edge| edge.to == done) {
            graph.nodes.push(Node { name: Target::DONE, kind: "", shape: Shape::Done });
        }
        graph
    }

    fn connect(&mut self, from: usize, to: usize, words: String) {
        let known = self.edges.iter().position(|edge| edge.from == from && edge.to == to);
        let edge = known.unwrap_or_else(|| {
            self.edges.push(Edge { from, to, lines: Vec::new() });
            self.edges.len() - 1
        });
        if !words.is_empty() {
            self.edges[edge].lines.push(words);
        }
    }
}

/// What a route asks for: its label, its types, its condition and its bound; and whether it makes
/// children.
fn words(route: &Route) -> String {
    let children = match &route.to {
        Target::FanOut(FanOut { over: Over::Branches(_), .. }) => Some("and".to_owned()),
        Target::FanOut(FanOut { over: Over::Items { list, .. }, .. }) => {
            Some(format!("each of {list}"))
        }
        Target::Stage(_) | Target::Done => None,
    };
    let on = route.on.as_ref().map(ToString::to_string);
    let types = Some(route.on_type.join(" or ")).filter(|types| !types.is_empty());
    let when = route.when.as_ref().map(|condition| condition.source().to_owned());
    let asked: Vec<_> = on.into_iter().chain(types).chain(when).collect();
    let asked = Some(asked.join(" if ")).filter(|asked| !asked.is_empty());
    let at_most = route.at_most.map(|most| format!("at most {most}×"));
    children.into_iter().chain(asked).chain(at_most).collect::<Vec<_>>().join(", ")
}
