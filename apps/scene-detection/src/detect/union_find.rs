//! Sets of labels that turn out to be one.

/// Disjoint sets: union by smaller label, paths halved on the way up (Tarjan and van Leeuwen,
/// "Worst-case analysis of set union algorithms", Journal of the ACM 31 (1984)).
#[derive(Debug, Default)]
pub struct UnionFind {
    parents: Vec<u32>,
}

impl UnionFind {
    /// A new set of one label; gives it. Labels count from 0.
    pub fn add(&mut self) -> u32 {
        let label = self.parents.len() as u32;
        self.parents.push(label);
        label
    }

    /// The smallest label of the set.
    pub fn find(&mut self, mut label: u32) -> u32 {
        while self.parents[label as usize] != label {
            let above = self.parents[label as usize];
            self.parents[label as usize] = self.parents[above as usize];
            label = above;
        }
        label
    }

    /// Makes two sets one; gives its smallest label.
    pub fn unite(&mut self, one: u32, other: u32) -> u32 {
        let (one, other) = (self.find(one), self.find(other));
        let (first, second) = (one.min(other), one.max(other));
        self.parents[second as usize] = first;
        first
    }
}
