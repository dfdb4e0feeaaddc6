//! Which layer each box of a picture stands in, and which arrows lead back.

use super::{Graph, Shape};

/// The edges that close a cycle, found by walking from the stages that nothing leads to.
pub(super) fn back_edges(graph: &Graph<'_>) -> Vec<bool> {
    let count = graph.nodes.len();
    let mut outgoing: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut entered = vec![false; count];
    for (index, edge) in graph.edges.iter().enumerate() {
        outgoing[edge.from].push(index);
        entered[edge.to] |= edge.from != edge.to;
    }
    let roots = (0..count).filter(|node| !entered[*node]);
    let starts: Vec<usize> = roots.chain(0..count).collect();
    let mut back = vec![false; graph.edges.len()];
    let mut seen = vec![false; count];
    let mut on_path = vec![false; count];
    for start in starts {
        let mut path = vec![(start, 0)];
        while let Some((node, next)) = path.last_mut() {
            let node = *node;
            if *next == 0 && std::mem::replace(&mut seen[node], true) {
                path.pop();
                continue;
            }
            on_path[node] = true;
            let Some(edge) = outgoing[node].get(*next) else {
                on_path[node] = false;
                path.pop();
                continue;
            };
            *next += 1;
            let to = graph.edges[*edge].to;
            back[*edge] = on_path[to];
            if !seen[to] {
                path.push((to, 0));
            }
        }
    }
    back
}

/// The layer of each node: after its last predecessor, and `done` after everything.
pub(super) fn layers(graph: &Graph<'_>, back: &[bool]) -> Vec<usize> {
    let mut layers = vec![0; graph.nodes.len()];
    // Longest paths settle after as many rounds as there are layers.
    for _ in 0..graph.nodes.len() {
        let mut moved = false;
        for (edge, back) in graph.edges.iter().zip(back) {
            if edge.from == edge.to {
                continue;
            }
            let (left, right) = if *back { (edge.to, edge.from) } else { (edge.from, edge.to) };
            if layers[right] <= layers[left] {
                layers[right] = layers[left] + 1;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    let last = layers.iter().copied().max().unwrap_or_default();
    if let Some(done) = graph.nodes.iter().position(|node| node.shape == Shape::Done) {
        layers[done] = last;
    }
    layers
}
