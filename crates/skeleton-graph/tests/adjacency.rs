//! The matrices of the graph, for every built-in layout.

#![expect(
    clippy::needless_range_loop,
    reason = "matrices are compared by their indices"
)]

use skeleton_graph::{Adjacency, Layout};

fn graphs() -> impl Iterator<Item = (Layout, Adjacency)> {
    Layout::BUILT_IN.iter().map(|name| {
        let layout = Layout::built_in(name).unwrap();
        let graph = layout.adjacency();
        (layout, graph)
    })
}

#[test]
fn binary_holds_each_bone_both_ways_and_nothing_else() {
    for (layout, graph) in graphs() {
        let (v, a) = (layout.len(), graph.binary());
        for row in 0..v {
            assert_eq!(a[row * v + row], 0.0);
            for column in 0..v {
                let bone = layout.parent(row) == Some(column) || layout.parent(column) == Some(row);
                assert_eq!(a[row * v + column], if bone { 1.0 } else { 0.0 });
                assert_eq!(graph.neighbours(row).contains(&column), bone);
            }
            assert!(graph.neighbours(row).is_sorted());
        }
    }
}

#[test]
fn row_normalised_averages() {
    for (layout, graph) in graphs() {
        let v = layout.len();
        for (row, weights) in graph.row_normalised().chunks(v).enumerate() {
            assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let weight = 1.0 / (graph.neighbours(row).len() + 1) as f64;
            for (column, &found) in weights.iter().enumerate() {
                let connected = row == column || graph.neighbours(row).contains(&column);
                assert_eq!(found, if connected { weight } else { 0.0 });
            }
        }
    }
}

/// D^-1/2 (A + I) D^-1/2 multiplied out from the binary matrix.
#[test]
fn symmetric_is_the_normalised_product() {
    for (layout, graph) in graphs() {
        let (v, a, s) = (layout.len(), graph.binary(), graph.symmetric());
        let degree: Vec<f64> = a
            .chunks(v)
            .map(|row| row.iter().sum::<f64>() + 1.0)
            .collect();
        for row in 0..v {
            for column in 0..v {
                let with_loops = a[row * v + column] + f64::from(u8::from(row == column));
                let expected = degree[row].powf(-0.5) * with_loops * degree[column].powf(-0.5);
                assert!((s[row * v + column] - expected).abs() < 1e-15);
                assert_eq!(s[row * v + column], s[column * v + row]);
            }
        }
    }
}

#[test]
fn hops_are_a_distance() {
    for (layout, graph) in graphs() {
        let (v, hops) = (layout.len(), graph.hops());
        for one in 0..v {
            assert_eq!(hops[one][one], 0);
            for other in 0..v {
                assert_eq!(hops[one][other], hops[other][one]);
                assert_eq!(
                    hops[one][other] == 1,
                    graph.neighbours(one).contains(&other)
                );
                for between in 0..v {
                    assert!(hops[one][other] <= hops[one][between] + hops[between][other]);
                }
            }
        }
    }
}

/// In a tree the path between two joints goes through their nearest common ancestor.
#[test]
fn hops_follow_the_tree() {
    for (layout, graph) in graphs() {
        let hops = graph.hops();
        let ancestors = |joint| -> Vec<usize> {
            std::iter::successors(Some(joint), |&joint| layout.parent(joint)).collect()
        };
        for one in 0..layout.len() {
            for other in 0..layout.len() {
                let (up, down) = (ancestors(one), ancestors(other));
                let meeting = up.iter().position(|joint| down.contains(joint)).unwrap();
                let below = down.iter().position(|&joint| joint == up[meeting]).unwrap();
                assert_eq!(hops[one][other], meeting + below);
            }
        }
    }
    let coco = Layout::built_in("coco17").unwrap().adjacency().hops();
    assert_eq!(coco[15][16], 8); // ankle, knee, hip, shoulder, nose and down again
}
