//! The graph of a skeleton and the matrices that models make of it.

use std::collections::VecDeque;

/// Which joints a bone joins: undirected, without self loops.
///
/// Matrices are dense, row-major, (v, v); they are f64 so that a model can round them once to the
/// type it computes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjacency {
    /// Per joint, ascending.
    neighbours: Vec<Vec<usize>>,
}

#[expect(
    clippy::len_without_is_empty,
    reason = "a layout has at least two joints"
)]
impl Adjacency {
    /// `edges` are those of a valid layout: in range, between two joints, none twice.
    pub(crate) fn of_edges(joints: usize, edges: &[(usize, usize)]) -> Adjacency {
        let mut neighbours = vec![Vec::new(); joints];
        for &(child, parent) in edges {
            neighbours[child].push(parent);
            neighbours[parent].push(child);
        }
        for list in &mut neighbours {
            list.sort_unstable();
        }
        Adjacency { neighbours }
    }

    /// The number of joints, v.
    pub fn len(&self) -> usize {
        self.neighbours.len()
    }

    /// The joints one bone away from `joint`, ascending.
    ///
    /// # Panics
    /// If `joint` is not below [`Adjacency::len`].
    pub fn neighbours(&self, joint: usize) -> &[usize] {
        &self.neighbours[joint]
    }

    /// Every bone once, the smaller joint first, ascending.
    pub fn edges(&self) -> Vec<(usize, usize)> {
        let all = self.neighbours.iter().enumerate();
        all.flat_map(|(joint, others)| others.iter().map(move |&other| (joint, other)))
            .filter(|(joint, other)| joint < other)
            .collect()
    }

    /// The graph without some of its bones, each given either way round; others than its own are ignored.
    #[must_use]
    pub fn without(&self, bones: &[(usize, usize)]) -> Adjacency {
        let mut left = self.clone();
        for &(a, b) in bones {
            for (joint, other) in [(a, b), (b, a)] {
                if let Some(list) = left.neighbours.get_mut(joint) {
                    list.retain(|&neighbour| neighbour != other);
                }
            }
        }
        left
    }

    /// A: 1 where a bone joins two joints, else 0.
    pub fn binary(&self) -> Vec<f64> {
        self.matrix(0.0, |_, _| 1.0)
    }

    /// D^-1 (A + I), D the row sums of A + I: each row averages a joint with its neighbours.
    pub fn row_normalised(&self) -> Vec<f64> {
        self.matrix(1.0, |row, _| 1.0 / self.degree(row))
    }

    /// D^-1/2 (A + I) D^-1/2, after Kipf and Welling.
    pub fn symmetric(&self) -> Vec<f64> {
        self.matrix(1.0, |row, column| {
            1.0 / (self.degree(row) * self.degree(column)).sqrt()
        })
    }

    /// The number of bones on the path between each two joints, as (v, v); `usize::MAX` where there is none.
    pub fn hops(&self) -> Vec<Vec<usize>> {
        (0..self.len()).map(|start| self.hops_from(start)).collect()
    }

    /// The row sum of A + I.
    fn degree(&self, joint: usize) -> f64 {
        (self.neighbours[joint].len() + 1) as f64
    }

    /// `weight` where a bone joins row and column, `own` times `weight` on the diagonal, else 0.
    fn matrix(&self, own: f64, weight: impl Fn(usize, usize) -> f64) -> Vec<f64> {
        let v = self.len();
        let mut matrix = vec![0.0; v * v];
        for (row, neighbours) in self.neighbours.iter().enumerate() {
            matrix[row * v + row] = own * weight(row, row);
            for &column in neighbours {
                matrix[row * v + column] = weight(row, column);
            }
        }
        matrix
    }

    /// Breadth first; a layout's tree is connected, so every joint is reached.
    fn hops_from(&self, start: usize) -> Vec<usize> {
        let mut hops = vec![usize::MAX; self.len()];
        let mut queue = VecDeque::from([start]);
        hops[start] = 0;
        while let Some(joint) = queue.pop_front() {
            for &next in &self.neighbours[joint] {
                if hops[next] == usize::MAX {
                    hops[next] = hops[joint] + 1;
                    queue.push_back(next);
                }
            }
        }
        hops
    }
}
