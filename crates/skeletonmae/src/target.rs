//! What a decoder's output is compared with.

use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};
use skeleton_kernels::{constant, host};

use crate::batch::TrackBatch;

/// What is reconstructed of a hidden joint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The embedded, unmasked feature, into which no gradient flows.
    ///
    /// Differs from the paper: it doesn't say whether gradient does; the embedding can collapse where it does.
    #[default]
    Embedding,
    /// The same, into which gradient flows.
    EmbeddingWithGradient,
    /// The joint's coordinates: the decoder ends in as many numbers.
    ///
    /// Differs from the paper, whose target is the feature. With the cosine error only their direction is
    /// learnt; MSE is the loss that goes with them.
    Coordinates,
    /// How the joint moves to the next frame, c numbers, divided by the root mean square of the track's: a clip whose
    /// motion is small counts as much. A joint that isn't there in both frames is no target.
    ///
    /// Differs from the paper: after Y. Mao et al., Masked Motion Predictors are Strong 3D Action Representation Learners,
    /// ICCV 2023.
    Motion,
    /// Coordinates and motion, 2 c numbers.
    CoordinatesAndMotion,
    /// c ones, whatever the joint: a [control](crate::control), what a collapsed embedding would ask for.
    Constant,
}

impl Target {
    /// Numbers of one target, of joints of `c` coordinates; `None` where it is a feature.
    pub fn numbers(self, c: usize) -> Option<usize> {
        match self {
            Self::Embedding | Self::EmbeddingWithGradient => None,
            Self::Coordinates | Self::Motion | Self::Constant => Some(c),
            Self::CoordinatesAndMotion => Some(2 * c),
        }
    }

    /// Whether a hidden joint's coordinates are found by it, whatever the way.
    pub fn places(self) -> bool {
        !matches!(self, Self::Motion | Self::Constant)
    }

    /// Whether it asks where a joint is in the next frame.
    pub fn moves(self) -> bool {
        matches!(self, Self::Motion | Self::CoordinatesAndMotion)
    }

    /// The numbers to be found, (n, t, v, [`numbers`](Self::numbers)); the coordinates where it is a feature.
    ///
    /// # Errors
    /// When the batch can't be read.
    pub fn values(self, batch: &TrackBatch) -> Result<Tensor> {
        let s = &batch.keypoints;
        match self {
            Self::Embedding | Self::EmbeddingWithGradient | Self::Coordinates => Ok(s.clone()),
            Self::Motion => motion(batch),
            Self::CoordinatesAndMotion => Tensor::cat(&[s, &motion(batch)?], 3),
            Self::Constant => s.ones_like(),
        }
    }
}

/// (n, t, v), whether a joint is there in a frame and in the next.
pub(crate) fn moving(batch: &TrackBatch) -> Vec<bool> {
    let [_, t, v, _] = *batch.keypoints.dims() else {
        unreachable!("a batch is (n, t, v, c)")
    };
    let tracks = batch.presence.chunks_exact((t * v).max(1));
    let moving = |seen: &[bool], at: usize| seen[at] && seen.get(at + v) == Some(&true);
    tracks
        .flat_map(|seen| (0..t * v).map(|at| moving(seen, at)))
        .collect()
}

/// Motion to the next frame, 0 where there is none, (n, t, v, c), each track's of root mean square 1.
fn motion(batch: &TrackBatch) -> Result<Tensor> {
    let (n, t, v, c) = batch.keypoints.dims4()?;
    let s: Vec<f64> = host::read(&batch.keypoints)?;
    let moving = moving(batch);
    let mut motion = vec![0.0; s.len()];
    for (at, _) in moving.iter().enumerate().filter(|(_, moves)| **moves) {
        for k in at * c..(at + 1) * c {
            motion[k] = s[k + v * c] - s[k];
        }
    }
    let tracks = motion.chunks_exact_mut((t * v * c).max(1));
    for (track, moving) in tracks.zip(moving.chunks_exact((t * v).max(1))) {
        let count = moving.iter().filter(|moves| **moves).count() * c;
        let square = track.iter().map(|x| x * x).sum::<f64>() / count.max(1) as f64;
        if square > 0.0 {
            track.iter_mut().for_each(|x| *x /= square.sqrt());
        }
    }
    constant(motion, (n, t, v, c), &batch.keypoints)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn motion_is_to_the_next_frame_in_units_of_the_tracks_own() {
        // One joint of two tracks, three frames; in the second it is missing in the last.
        let values = vec![0.0, 0.0, 3.0, 0.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.1, 0.0, 0.0];
        let keypoints = Tensor::from_vec(values, (2, 3, 1, 2), &Device::Cpu).unwrap();
        let presence = vec![true, true, true, true, true, false];
        let (ids, labels) = (vec!["a".into(), "b".into()], vec![0, 0]);
        let batch = TrackBatch::new(keypoints, presence, vec![0, 1], ids, labels).unwrap();
        assert_eq!(moving(&batch), [true, true, false, true, false, false]);
        let motion = Target::Motion.values(&batch).unwrap();
        let motion: Vec<f64> = motion.flatten_all().unwrap().to_vec1().unwrap();
        // Squares 9, 0, 0, 16 have the mean 25/4; a single motion of 0.1 along one of two axes has 0.01/2.
        let expected = [3.0 / 2.5, 0.0, 0.0, 4.0 / 2.5, 0.0, 0.0];
        let second = [0.0, 2.0_f64.sqrt(), 0.0, 0.0, 0.0, 0.0];
        for (found, expected) in motion.iter().zip(expected.iter().chain(&second)) {
            assert!((found - expected).abs() < 1e-12, "{motion:?}");
        }
        let both = Target::CoordinatesAndMotion.values(&batch).unwrap();
        assert_eq!(both.dims(), [2, 3, 1, 4]);
        assert_eq!(Target::CoordinatesAndMotion.numbers(2), Some(4));
    }
}
