//! Which joints are hidden: paper section 3.2, "Skeleton masking", and the random joints of
//! Table 5b.

use std::collections::BTreeSet;

use candle_core::Tensor;
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use skeleton_graph::Layout;
use skeleton_graph::random::{Key, Purpose, Rng, stream};

use crate::batch::TrackBatch;
use crate::error::{Error, Result};
use crate::trunk::visible;

/// What is masked. Masking everything leaves nothing to reconstruct from and is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum MaskConfig {
    /// These whole parts, always (the paper's setting).
    Parts {
        /// Indices into the layout's parts.
        parts: Vec<usize>,
    },
    /// A random number of random whole parts.
    RandomParts {
        /// Fewest parts.
        min: usize,
        /// Most parts.
        max: usize,
    },
    /// Random joints, whatever part they belong to.
    RandomJoints {
        /// Share of the joints, in (0, 1); at least one joint and never all.
        ratio: f64,
    },
    /// So many random joints (Table 5b: 5, 9, 12 and 15 of 17).
    Joints {
        /// How many; fewer than there are.
        count: usize,
    },
}

/// Over what one draw holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskScope {
    /// All frames and tracks of a clip.
    #[default]
    Clip,
    /// The whole batch.
    Batch,
    /// So many frames of a clip after each other, of all its tracks: 1 draws for each frame anew.
    Stretch(usize),
}

/// The masks of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask {
    /// (n, t, v), the joints that are hidden.
    pub hidden: Vec<bool>,
    /// (n, t, v), the joints to reconstruct: hidden ones that were seen. A joint missing in the data is
    /// no target.
    pub targets: Vec<bool>,
}

impl Mask {
    /// Of each of the n tracks (t, v) flags, or (v), which then hold for all its frames.
    ///
    /// # Panics
    /// When `tracks` doesn't hold one such flag vector a track.
    pub fn of_tracks(batch: &TrackBatch, tracks: &[Vec<bool>]) -> Self {
        let n = batch.track_clip.len();
        assert_eq!(tracks.len(), n, "a flag vector a track");
        let of_track = batch.presence.len() / n;
        let hidden: Vec<bool> = tracks
            .iter()
            .flat_map(|flags| flags.repeat(of_track / flags.len()))
            .collect();
        assert_eq!(hidden.len(), batch.presence.len(), "a flag a joint");
        let targets = hidden
            .iter()
            .zip(&batch.presence)
            .map(|(&h, &p)| h && p)
            .collect();
        Self { hidden, targets }
    }

    /// (s, 1, 0) of visible joints and (0, 0, 1) of hidden ones, s (n, t, v, c), (n, t, v, c + 2):
    /// what [`masked_map`](crate::model::masked_map) makes features of.
    ///
    /// # Errors
    /// When the mask isn't of the joints of s.
    pub fn columns(&self, s: &Tensor) -> candle_core::Result<Tensor> {
        let visible = visible(s, &self.hidden)?;
        Tensor::cat(
            &[&s.broadcast_mul(&visible)?, &visible, &(1.0 - &visible)?],
            3,
        )
    }

    /// The targets' rows, n t v counted, ascending.
    pub fn target_rows(&self) -> Vec<u32> {
        let rows = (0..).zip(self.targets.iter());
        rows.filter(|(_, target)| **target)
            .map(|(row, _)| row)
            .collect()
    }

    /// How many joints are to be reconstructed.
    pub fn count(&self) -> usize {
        self.targets.iter().filter(|t| **t).count()
    }
}

impl MaskConfig {
    /// Refuses what no layout of this kind can do; the field it names is the `mask` that it is.
    ///
    /// # Errors
    /// When a part doesn't exist, or nothing or everything would be masked.
    pub fn validate(&self, layout: &Layout) -> Result<()> {
        let n = layout.parts().len();
        let check = |ok, expected: String, found: String| {
            Error::refuse_unless(ok, "mask", &expected, found)
        };
        match self {
            Self::Parts { parts } => {
                let (distinct, found) = (BTreeSet::from_iter(parts), format!("{parts:?}"));
                let known = distinct.len() == parts.len() && parts.iter().all(|&part| part < n);
                check(known, format!("distinct parts below {n}"), found.clone())?;
                let some = (1..n).contains(&parts.len());
                check(some, format!("1 to {} parts", n - 1), found)
            }
            Self::RandomParts { min, max } => {
                let ok = *min >= 1 && min <= max && *max < n;
                let expected = format!("1 <= min <= max <= {}", n - 1);
                check(ok, expected, format!("min {min}, max {max}"))
            }
            Self::RandomJoints { ratio } => {
                let ok = *ratio > 0.0 && *ratio < 1.0;
                check(ok, "a ratio between 0 and 1".into(), ratio.to_string())
            }
            Self::Joints { count } => {
                let v = layout.len();
                let expected = format!("1 to {} joints", v - 1);
                check((1..v).contains(count), expected, count.to_string())
            }
        }
    }

    /// One draw: (v), true where hidden. Call [`validate`](Self::validate) first.
    pub fn draw(&self, layout: &Layout, rng: &mut Rng) -> Vec<bool> {
        let joints = match self {
            Self::Parts { parts } => joints_of(layout, parts),
            Self::RandomParts { min, max } => {
                let count = rng.random_range(*min as u64..=*max as u64) as usize;
                joints_of(layout, &choose(layout.parts().len(), count, rng))
            }
            Self::RandomJoints { ratio } => {
                let v = layout.len();
                let count = ((ratio * v as f64).round() as usize).clamp(1, v - 1);
                choose(v, count, rng)
            }
            Self::Joints { count } => choose(layout.len(), *count, rng),
        };
        let all = 0..layout.len();
        all.map(|joint| joints.contains(&joint)).collect()
    }

    /// The masks of a batch, a function of seed, epoch and clip id (or batch index) alone.
    pub fn masks(&self, layout: &Layout, batch: &TrackBatch, scope: MaskScope, at: At) -> Mask {
        let rng = |key| stream(at.seed, Purpose::Mask, at.epoch, key);
        let frames = batch.presence.len() / (batch.track_clip.len().max(1) * layout.len());
        let ids = batch.ids.iter();
        // (v) or (t, v) flags of each clip.
        let by_clip: Vec<Vec<bool>> = match scope {
            MaskScope::Clip => {
                let clips = ids.map(|id| self.draw(layout, &mut rng(Key::Clip(id))));
                clips.collect()
            }
            MaskScope::Batch => {
                let all = self.draw(layout, &mut rng(Key::Index(at.index)));
                vec![all; batch.clips()]
            }
            MaskScope::Stretch(length) => ids
                .map(|id| {
                    let mut rng = rng(Key::Clip(id));
                    let stretches = (0..frames.div_ceil(length.max(1)))
                        .flat_map(|_| self.draw(layout, &mut rng).repeat(length));
                    stretches.take(frames * layout.len()).collect()
                })
                .collect(),
        };
        let of_tracks = batch.track_clip.iter();
        let of_tracks = of_tracks.map(|&clip| by_clip[clip as usize].clone());
        Mask::of_tracks(batch, &of_tracks.collect::<Vec<_>>())
    }
}

/// Where in a run a draw happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The run's seed.
    pub seed: u64,
    /// Epoch, from 0.
    pub epoch: u64,
    /// Batch in the epoch, from 0.
    pub index: u64,
}

fn joints_of(layout: &Layout, parts: &[usize]) -> Vec<usize> {
    parts
        .iter()
        .flat_map(|&part| layout.parts()[part].joints.iter().copied())
        .collect()
}

/// `count` different numbers below n, all subsets equally likely.
pub(crate) fn choose(n: usize, count: usize, rng: &mut Rng) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    for i in 0..count {
        let other = i + rng.random_range(0..(n - i) as u64) as usize;
        all.swap(i, other);
    }
    all.truncate(count);
    all
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::{MaeConfig, Mode, SkeletonMae, Store};

    fn layout() -> Layout {
        Layout::built_in("coco17").expect("it is built in")
    }

    fn batch(keypoints: Tensor, presence: Vec<bool>) -> TrackBatch {
        let ids = vec!["a".into(), "b".into()];
        TrackBatch::new(keypoints, presence, vec![0, 0, 1], ids, vec![0, 0]).unwrap()
    }

    fn at(epoch: u64, index: u64) -> At {
        At {
            seed: 1,
            epoch,
            index,
        }
    }

    #[test]
    fn parts_are_whole_and_never_all() {
        let layout = layout();
        let config = MaskConfig::RandomParts { min: 1, max: 5 };
        config.validate(&layout).unwrap();
        let mut counts = [0; 7];
        for i in 0..300 {
            let hidden = config.draw(&layout, &mut stream(0, Purpose::Mask, 0, Key::Index(i)));
            let whole = |p: &skeleton_graph::Part| p.joints.iter().filter(|&&j| hidden[j]).count();
            let parts = layout.parts().iter();
            assert!(
                parts
                    .clone()
                    .all(|p| whole(p) == 0 || whole(p) == p.joints.len())
            );
            counts[parts.filter(|p| whole(p) > 0).count()] += 1;
        }
        assert!(
            counts[1..6].iter().all(|&n| n > 30),
            "every number of parts occurs: {counts:?}"
        );
        assert_eq!((counts[0], counts[6]), (0, 0));
    }

    #[test]
    fn joints_at_a_ratio_or_so_many() {
        let layout = layout();
        let drawn = |config: MaskConfig| {
            config.validate(&layout).unwrap();
            let hidden = config.draw(&layout, &mut stream(0, Purpose::Mask, 0, Key::None));
            hidden.iter().filter(|h| **h).count()
        };
        for (ratio, count) in [(0.01, 1), (0.3, 5), (0.53, 9), (0.99, 16)] {
            assert_eq!(drawn(MaskConfig::RandomJoints { ratio }), count, "{ratio}");
        }
        for count in [1, 5, 9, 12, 15, 16] {
            assert_eq!(drawn(MaskConfig::Joints { count }), count);
        }
    }

    #[test]
    fn masking_nothing_or_everything_is_refused() {
        let layout = layout();
        let parts = |parts: &[usize]| MaskConfig::Parts {
            parts: parts.to_vec(),
        };
        let (few, many) = ((0, 1), (1, 6));
        let range = |(min, max)| MaskConfig::RandomParts { min, max };
        let joints = |ratio| MaskConfig::RandomJoints { ratio };
        for bad in [
            parts(&[]),
            parts(&[0, 1, 2, 3, 4, 5]),
            parts(&[6]),
            parts(&[1, 1]),
        ]
        .into_iter()
        .chain([range(few), range(many), range((3, 2))])
        .chain([joints(0.0), joints(1.0), joints(f64::NAN)])
        {
            let error = bad.validate(&layout).unwrap_err().to_string();
            assert!(error.starts_with("mask: expected"), "{error}");
        }
    }

    #[test]
    fn a_draw_belongs_to_the_clip_and_holds_for_its_frames() {
        let layout = layout();
        let config = MaskConfig::RandomParts { min: 1, max: 3 };
        let zeros = Tensor::zeros((3, 4, 17, 2), DType::F32, &Device::Cpu).unwrap();
        let whole = batch(zeros, vec![true; 3 * 4 * 17]);
        let mask = config.masks(&layout, &whole, MaskScope::Clip, at(0, 0));
        let frames: Vec<&[bool]> = mask.hidden.chunks(17).collect();
        assert!(
            frames[..8].iter().all(|f| *f == frames[0]),
            "both people of a clip, all frames"
        );
        assert!(frames[8..].iter().all(|f| *f == frames[8]));
        // Whatever batch the clip comes in, it is masked alike; the next epoch differs somewhere.
        let other = config.masks(&layout, &whole, MaskScope::Clip, at(0, 5));
        assert_eq!(mask, other);
        let later =
            (1..9).map(|epoch| config.masks(&layout, &whole, MaskScope::Clip, at(epoch, 0)));
        assert!(later.into_iter().any(|later| later != mask));
        let of_batch = config.masks(&layout, &whole, MaskScope::Batch, at(0, 0));
        assert!(
            of_batch
                .hidden
                .chunks(17)
                .all(|f| *f == of_batch.hidden[..17])
        );
    }

    #[test]
    fn missing_joints_are_no_targets() {
        let zeros = Tensor::zeros((3, 4, 17, 2), DType::F32, &Device::Cpu).unwrap();
        let presence: Vec<bool> = (0..3 * 4 * 17).map(|i| i % 17 != 9).collect();
        let batch = batch(zeros, presence);
        let arm = vec![(0..17).map(|j| j == 7 || j == 9).collect::<Vec<_>>(); 3];
        let mask = Mask::of_tracks(&batch, &arm);
        assert_eq!(mask.count(), 3 * 4, "the elbow, not the missing wrist");
        assert!(mask.hidden[9], "which stays hidden all the same");
    }

    /// What is hidden can't be seen: other coordinates at masked joints change no code.
    #[test]
    fn a_masked_joints_feature_never_reaches_the_encoder() {
        let layout = layout();
        let store = Store::new(0, DType::F32, &Device::Cpu);
        let model = SkeletonMae::new(&MaeConfig::default(), &layout, 2, store.builder()).unwrap();
        let coordinates = |masked: f32| {
            let value = |i: usize| {
                if [8, 10].contains(&(i / 2 % 17)) {
                    masked
                } else {
                    i as f32
                }
            };
            let values: Vec<f32> = (0..3 * 4 * 17 * 2).map(value).collect();
            Tensor::from_vec(values, (3, 4, 17, 2), &Device::Cpu).unwrap()
        };
        let arm = vec![(0..17).map(|j| j == 8 || j == 10).collect::<Vec<_>>(); 3];
        let codes = |masked: f32, arm: &[Vec<bool>]| {
            let s = coordinates(masked);
            let mask = Mask::of_tracks(&batch(s.clone(), vec![true; 3 * 4 * 17]), arm);
            let h = model.encode(&s, &mask, Mode::Eval).unwrap();
            h.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(codes(0.0, &arm), codes(50.0, &arm));
        let none = vec![vec![false; 17]; 3];
        assert_ne!(
            codes(0.0, &none),
            codes(50.0, &none),
            "unmasked, they would"
        );
    }
}
