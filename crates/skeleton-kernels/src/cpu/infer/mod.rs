//! Inference on the CPU: parameters taken once, every norm folded into the map before it, no autograd.
//!
//! A few frames at a time pass through a whole encoder and the spatial half of a layer in the cache; only what the temporal
//! half needs, the frames of one track, meets the memory.

use crate::cpu::{FoldedLinear, Real};

mod classifier;
mod encoder;
mod spatial;
mod temporal;

pub use classifier::Classifier;
pub use encoder::{Encoder, Layer, Scratch};
pub use spatial::Spatial;
pub use temporal::Temporal;

/// What maps give of a constant part o (t, d) of their input, which mixing joints multiplies by `sums` (v): the sum over
/// maps of `sums_j W o_t`, with `shift` (d) added, (t, v, d).
///
/// Where features are `s E^T + o_t`, a map of few numbers and a constant of each frame, they need not be made: sums over
/// joints commute with maps of features.
fn constant<T: Real>(maps: &[(&FoldedLinear<T>, &[T])], o: &[T], shift: &[T]) -> Vec<T> {
    let d = shift.len();
    let of_o: Vec<Vec<T>> = maps.iter().map(|(map, _)| map.of_rows(o)).collect();
    let (frames, joints) = (o.len() / d, maps.first().map_or(0, |(_, sums)| sums.len()));
    let mut constant = Vec::with_capacity(frames * joints * d);
    for t in 0..frames {
        for joint in 0..joints {
            constant.extend((0..d).map(|i| {
                let terms = maps.iter().zip(&of_o);
                let terms = terms.map(|((_, sums), of_o)| sums[joint] * of_o[t * d + i]);
                terms.reduce(|a, b| a + b).unwrap_or(T::zero()) + shift[i]
            }));
        }
    }
    constant
}
