//! Principal components, to look at representations (Figure 4a).

use nalgebra::{DMatrix, DVector, SymmetricEigen};

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
    let mut centred = DMatrix::from_fn(n, w, |i, j| f64::from(rows[i][j]));
    let mean = centred.row_mean();
    centred.row_iter_mut().for_each(|mut row| row -= &mean);
    let covariance = centred.tr_mul(&centred);
    let variance = covariance.trace();
    if !(variance > 0.0 && variance.is_finite()) {
        return None;
    }
    let eigen = SymmetricEigen::new(covariance);
    let mut order: Vec<usize> = (0..w).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let main = [order[0], order[1]];
    let [x, y] = main.map(|k| &centred * upright(eigen.eigenvectors.column(k).into_owned()));
    Some(Plane {
        places: x.iter().zip(&y).map(|(&x, &y)| [x, y]).collect(),
        shares: main.map(|k| eigen.eigenvalues[k].max(0.0) / variance),
    })
}

/// Its largest number made positive; of equally large ones the first counts.
fn upright(axis: DVector<f64>) -> DVector<f64> {
    let sign = axis[axis.iamax()].signum();
    axis * sign
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
