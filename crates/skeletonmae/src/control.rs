//! Controls: pre-training that can't teach what its name says, to tell what of a gain comes from it.
//!
//! What is left of a gain under a control came from something else: from running statistics, from weights that were moved, or
//! from the time spent. A rate of 0 ([`OptimizerConfig`](crate::train::OptimizerConfig)) is one more, and so is the target
//! [`Constant`](crate::Target::Constant).

use serde::{Deserialize, Serialize};
use skeleton_graph::random::{Key, Purpose, stream};
use skeleton_kernels::{constant, host};

use crate::batch::TrackBatch;
use crate::error::Result;
use crate::mask::choose;
use crate::params::normal;

/// What a model sees in place of the clips. It is drawn for each clip once, the same in all epochs and for all its people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    /// The clips.
    #[default]
    None,
    /// Normal noise of mean 0 and deviation 1 at every joint that is there.
    Noise,
    /// The clip's joints in another order: bodies without anatomy.
    ShuffledJoints,
    /// The clip's frames in another order: poses without motion. To the paper's encoder, which sees one frame at a time, it is
    /// no change.
    ShuffledFrames,
}

impl Control {
    /// Whether the model sees the clips themselves.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// What is put in the place of a batch.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn of(self, batch: &TrackBatch, seed: u64) -> Result<TrackBatch> {
        if self.is_none() {
            return Ok(batch.clone());
        }
        let (_, t, v, c) = batch.keypoints.dims4()?;
        let mut s: Vec<f64> = host::read(&batch.keypoints)?;
        let mut presence = batch.presence.clone();
        let tracks = s.chunks_exact_mut((t * v * c).max(1));
        let tracks = tracks.zip(presence.chunks_exact_mut((t * v).max(1)));
        for ((s, seen), &clip) in tracks.zip(&batch.track_clip) {
            let id = Key::Clip(&batch.ids[clip as usize]);
            let mut rng = stream(seed, Purpose::Control, 0, id);
            match self {
                Self::None => {}
                Self::Noise => {
                    for (joint, seen) in s.chunks_exact_mut(c).zip(&*seen) {
                        let drawn = joint.iter_mut().map(|x| (x, normal(&mut rng)));
                        drawn.filter(|_| *seen).for_each(|(x, noise)| *x = noise);
                    }
                }
                Self::ShuffledJoints => {
                    let order = choose(v, v, &mut rng);
                    for (s, seen) in s.chunks_exact_mut(v * c).zip(seen.chunks_exact_mut(v)) {
                        reorder(s, c, &order);
                        reorder(seen, 1, &order);
                    }
                }
                Self::ShuffledFrames => {
                    let order = choose(t, t, &mut rng);
                    reorder(s, v * c, &order);
                    reorder(seen, v, &order);
                }
            }
        }
        let keypoints = constant(s, batch.keypoints.dims(), &batch.keypoints)?;
        Ok(TrackBatch {
            keypoints,
            presence,
            ..batch.clone()
        })
    }
}

/// Puts row `order[i]`, of `width` numbers, in place i.
fn reorder<T: Copy>(rows: &mut [T], width: usize, order: &[usize]) {
    let old = rows.to_vec();
    for (row, &from) in rows.chunks_exact_mut(width).zip(order) {
        row.copy_from_slice(&old[from * width..(from + 1) * width]);
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};

    use super::*;

    /// Two people of one clip and one of another, 5 frames, 4 joints, of which one is missing once.
    fn batch() -> TrackBatch {
        let values: Vec<f64> = (0..3 * 5 * 4 * 2).map(|i| f64::from(i) / 10.0).collect();
        let keypoints = Tensor::from_vec(values, (3, 5, 4, 2), &Device::Cpu).unwrap();
        let presence = (0..3 * 5 * 4).map(|at| at != 7).collect();
        let ids = vec!["a".into(), "b".into()];
        TrackBatch::new(keypoints, presence, vec![0, 0, 1], ids, vec![0, 1]).unwrap()
    }

    fn rows(batch: &TrackBatch) -> Vec<Vec<f64>> {
        let flat = batch.keypoints.reshape((60, 2)).unwrap();
        flat.to_dtype(DType::F64).unwrap().to_vec2().unwrap()
    }

    #[test]
    fn joints_and_frames_change_places_with_their_presence_the_same_for_both_people() {
        let batch = batch();
        let before = rows(&batch);
        for control in [Control::ShuffledJoints, Control::ShuffledFrames] {
            let after = control.of(&batch, 3).unwrap();
            let moved = rows(&after);
            assert_ne!(before, moved, "{control:?}");
            // Where each row went, from its number, which is 2 at / 10.
            let from: Vec<usize> = moved
                .iter()
                .map(|row| (row[0] * 5.0).round() as usize)
                .collect();
            for (at, &from) in from.iter().enumerate() {
                assert_eq!(after.presence[at], batch.presence[from]);
                assert_eq!(at / 20, from / 20, "it stays in its track");
                match control {
                    Control::ShuffledJoints => assert_eq!(at / 4, from / 4, "in its frame"),
                    _ => assert_eq!(at % 4, from % 4, "it stays the joint"),
                }
            }
            let within =
                |track: usize| from[track * 20..][..20].iter().map(move |f| f - track * 20);
            assert!(within(0).eq(within(1)), "people of a clip move alike");
            let again = control.of(&batch, 3).unwrap();
            assert_eq!(rows(&again), moved);
            assert_ne!(rows(&control.of(&batch, 4).unwrap()), moved);
        }
    }

    #[test]
    fn noise_stands_where_joints_are_and_nothing_else_changes() {
        let batch = batch();
        let noise = Control::Noise.of(&batch, 0).unwrap();
        let (before, after) = (rows(&batch), rows(&noise));
        for (at, (before, after)) in before.iter().zip(&after).enumerate() {
            assert_eq!(before == after, at == 7, "row {at}");
        }
        assert_eq!(
            (noise.presence, noise.labels),
            (batch.presence, batch.labels)
        );
        let flat: Vec<f64> = after.concat();
        let mean = flat.iter().sum::<f64>() / flat.len() as f64;
        assert!(mean.abs() < 0.5, "{mean}");
    }
}
