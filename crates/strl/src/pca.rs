//! Principal components, to look at representations (Figure 4a).

/// The plane in which some clips' features differ most.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// (n), each clip's place along the first and the second axis.
    pub places: Vec<[f64; 2]>,
    /// The axes' shares of all variance.
    pub shares: [f64; 2],
}

/// The two main axes of `rows` (n, w): directions of largest variance about the mean. The sign of an axis is free; here its
/// largest number is positive. `None` where there is nothing to tell apart: fewer than two rows or columns, or all rows equal.
///
/// # Panics
/// When the rows differ in length.
pub fn plane(rows: &[Vec<f32>]) -> Option<Plane> {
    let (n, w) = (rows.len(), rows.first()?.len());
    assert!(rows.iter().all(|row| row.len() == w), "rows of one length");
    if n < 2 || w < 2 {
        return None;
    }
    let mean: Vec<f64> = (0..w)
        .map(|j| rows.iter().map(|row| f64::from(row[j])).sum::<f64>() / n as f64)
        .collect();
    let centred = |row: &Vec<f32>| -> Vec<f64> {
        row.iter()
            .zip(&mean)
            .map(|(&x, mean)| f64::from(x) - mean)
            .collect()
    };
    let centred: Vec<Vec<f64>> = rows.iter().map(centred).collect();
    let mut covariance = vec![vec![0.0; w]; w];
    for row in &centred {
        for (i, line) in covariance.iter_mut().enumerate() {
            for (sum, x) in line.iter_mut().zip(row) {
                *sum += row[i] * x;
            }
        }
    }
    let variance: f64 = (0..w).map(|j| covariance[j][j]).sum();
    if !(variance > 0.0 && variance.is_finite()) {
        return None;
    }
    let (values, vectors) = eigen(covariance);
    let mut order: Vec<usize> = (0..w).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    let axes = [order[0], order[1]].map(|k| upright(vectors.iter().map(|row| row[k]).collect()));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let places = centred.iter();
    Some(Plane {
        places: places
            .map(|row| [0, 1].map(|k: usize| dot(row, &axes[k])))
            .collect(),
        shares: [order[0], order[1]].map(|k| values[k].max(0.0) / variance),
    })
}

/// Its largest number made positive; of equally large ones the first counts.
fn upright(axis: Vec<f64>) -> Vec<f64> {
    let largest = axis.iter().copied().fold(
        0.0,
        |best: f64, x| {
            if x.abs() > best.abs() { x } else { best }
        },
    );
    let sign = if largest < 0.0 { -1.0 } else { 1.0 };
    axis.into_iter().map(|x| sign * x).collect()
}

/// Eigenvalues and, as columns, eigenvectors of a symmetric matrix: cyclic Jacobi rotations.
fn eigen(mut a: Vec<Vec<f64>>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = a.len();
    let mut v: Vec<Vec<f64>> = (0..n)
        .map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect())
        .collect();
    let scale: f64 = a.iter().flatten().map(|x| x * x).sum();
    // It converges quadratically: a dozen sweeps are plenty, the bound only says that it ends.
    for _ in 0..60 {
        let off: f64 = (0..n)
            .map(|i| (0..i).map(|j| a[i][j] * a[i][j]).sum::<f64>())
            .sum();
        if off <= 1e-24 * scale {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut a, &mut v, p, q);
            }
        }
    }
    ((0..n).map(|i| a[i][i]).collect(), v)
}

/// Makes a[p][q] zero, p below q.
fn rotate(a: &mut [Vec<f64>], v: &mut [Vec<f64>], p: usize, q: usize) {
    if a[p][q] == 0.0 {
        return;
    }
    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let t = if theta == 0.0 { 1.0 } else { t };
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    for row in a.iter_mut().chain(v) {
        let (x, y) = (row[p], row[q]);
        (row[p], row[q]) = (c * x - s * y, s * x + c * y);
    }
    let (head, tail) = a.split_at_mut(q);
    for (x, y) in head[p].iter_mut().zip(&mut tail[0]) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points on a line through 5 dimensions, with a little that is across it.
    fn cloud() -> Vec<Vec<f32>> {
        let along = [3.0, -1.0, 0.5, 0.0, 2.0];
        let across = [1.0, 3.0, 0.0, 0.0, 0.0];
        (0..40)
            .map(|i| {
                let (a, b) = (i as f32 - 20.0, 0.1 * ((i * 7 % 11) as f32 - 5.0));
                (0..5).map(|j| 4.0 + a * along[j] + b * across[j]).collect()
            })
            .collect()
    }

    #[test]
    fn distances_in_the_plane_are_those_of_points_in_a_plane() {
        let rows = cloud();
        let plane = plane(&rows).expect("there is variance");
        assert!(
            (plane.shares[0] + plane.shares[1] - 1.0).abs() < 1e-9,
            "{:?}",
            plane.shares
        );
        assert!(plane.shares[0] > 0.95);
        let far = |a: &[f32], b: &[f32]| {
            let square = |(x, y): (&f32, &f32)| f64::from(x - y) * f64::from(x - y);
            a.iter().zip(b).map(square).sum::<f64>().sqrt()
        };
        for (i, j) in [(0, 1), (3, 30), (7, 39)] {
            let [a, b] = [plane.places[i], plane.places[j]];
            let here = ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)).sqrt();
            assert!((here - far(&rows[i], &rows[j])).abs() < 1e-4, "{i} {j}");
        }
    }

    #[test]
    fn axes_point_where_their_largest_number_is_positive() {
        let rows = cloud();
        let turned: Vec<Vec<f32>> = rows.iter().rev().cloned().collect();
        let (a, b) = (
            plane(&rows).expect("variance"),
            plane(&turned).expect("variance"),
        );
        for (a, b) in a.places.iter().zip(b.places.iter().rev()) {
            assert!((a[0] - b[0]).abs() < 1e-6 && (a[1] - b[1]).abs() < 1e-6);
        }
        assert!(
            a.places[39][0] > a.places[0][0],
            "the first number grows along the line"
        );
    }

    #[test]
    fn where_nothing_differs_there_is_no_plane() {
        assert_eq!(plane(&vec![vec![1.0, 2.0]; 5]), None);
        assert_eq!(plane(&[vec![1.0, 2.0]]), None);
        assert_eq!(plane(&[]), None);
    }
}
