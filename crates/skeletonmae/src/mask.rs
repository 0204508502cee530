//! Which joints are hidden: paper section 3.2, "Skeleton masking", and the random joints of
//! Table 5b.

use std::sync::Arc;

use rand::Rng as _;
use serde::{Deserialize, Serialize};
use skeleton_graph::Layout;
use skeleton_graph::random::{Key, Purpose, Rng, stream};

use crate::batch::TrackBatch;
use crate::error::{Error, Result};

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
}

/// The masks of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask {
    /// (n, t, v), the joints that are hidden.
    pub hidden: Arc<Vec<bool>>,
    /// (n, t, v), the joints to reconstruct: hidden ones that were seen. A joint missing in the data is
    /// no target.
    pub targets: Arc<Vec<bool>>,
}

impl Mask {
    /// The same joints in all frames of a track: `tracks` holds (v) flags for each of the n tracks.
    ///
    /// # Panics
    /// When `tracks` doesn't hold one flag vector of v entries a track.
    pub fn of_tracks(batch: &TrackBatch, tracks: &[Vec<bool>]) -> Self {
        let n = batch.track_clip.len();
        assert_eq!(tracks.len(), n, "a flag vector a track");
        let frames = batch.presence.len() / (n * tracks[0].len());
        let hidden: Vec<bool> = tracks.iter().flat_map(|v| v.repeat(frames)).collect();
        assert_eq!(hidden.len(), batch.presence.len(), "a flag a joint");
        let targets = hidden
            .iter()
            .zip(&batch.presence)
            .map(|(&h, &p)| h && p)
            .collect();
        Self {
            hidden: Arc::new(hidden),
            targets: Arc::new(targets),
        }
    }

    /// How many joints are to be reconstructed.
    pub fn count(&self) -> usize {
        self.targets.iter().filter(|t| **t).count()
    }
}

impl MaskConfig {
    /// Refuses what no layout of this kind can do.
    ///
    /// # Errors
    /// When a part doesn't exist, or nothing or everything would be masked.
    pub fn validate(&self, layout: &Layout) -> Result<()> {
        let n = layout.parts().len();
        let refuse = |expected: String, found: String| {
            Err(Error::Setting {
                key: "pretrain.mask",
                expected,
                found,
            })
        };
        match self {
            Self::Parts { parts } => {
                let mut distinct = parts.clone();
                distinct.sort_unstable();
                distinct.dedup();
                if distinct.len() != parts.len() || parts.iter().any(|&part| part >= n) {
                    return refuse(format!("distinct parts below {n}"), format!("{parts:?}"));
                }
                if parts.is_empty() || parts.len() >= n {
                    return refuse(format!("1 to {} parts", n - 1), format!("{parts:?}"));
                }
            }
            Self::RandomParts { min, max } => {
                if *min < 1 || min > max || *max >= n {
                    let expected = format!("1 <= min <= max <= {}", n - 1);
                    return refuse(expected, format!("min {min}, max {max}"));
                }
            }
            Self::RandomJoints { ratio } => {
                if !(*ratio > 0.0 && *ratio < 1.0) {
                    return refuse("a ratio between 0 and 1".into(), ratio.to_string());
                }
            }
        }
        Ok(())
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
        };
        let mut hidden = vec![false; layout.len()];
        for joint in joints {
            hidden[joint] = true;
        }
        hidden
    }

    /// The masks of a batch, a function of seed, epoch and clip id (or batch index) alone.
    pub fn masks(&self, layout: &Layout, batch: &TrackBatch, scope: MaskScope, at: At) -> Mask {
        let draw = |key| self.draw(layout, &mut stream(at.seed, Purpose::Mask, at.epoch, key));
        let by_clip: Vec<Vec<bool>> = match scope {
            MaskScope::Clip => batch.ids.iter().map(|id| draw(Key::Clip(id))).collect(),
            MaskScope::Batch => vec![draw(Key::Index(at.index)); batch.clips()],
        };
        let tracks: Vec<Vec<bool>> = batch
            .track_clip
            .iter()
            .map(|&clip| by_clip[clip as usize].clone())
            .collect();
        Mask::of_tracks(batch, &tracks)
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
fn choose(n: usize, count: usize, rng: &mut Rng) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    for i in 0..count {
        let other = i + rng.random_range(0..(n - i) as u64) as usize;
        all.swap(i, other);
    }
    all.truncate(count);
    all
}
