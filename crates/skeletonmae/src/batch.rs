//! The tensors an epoch consumes.

use candle_core::{Tensor, bail};
use skeleton_kernels::constant;

/// The person tracks of some clips. A person that isn't there has no track.
///
/// Differs from the paper: absent persons don't exist; P comes from the data. Zero-filled second
/// persons would spoil `BatchNorm`'s statistics and double the cost of one-person sets.
#[derive(Clone, Debug)]
pub struct TrackBatch {
    /// (n, t, v, c), normalised coordinates; absent joints are zero.
    pub keypoints: Tensor,
    /// (n, t, v), whether the joint was seen.
    pub presence: Vec<bool>,
    /// (n), the index of each track's clip in `ids`.
    pub track_clip: Vec<u32>,
    /// (b), the clips' ids.
    pub ids: Vec<String>,
    /// (b), the clips' classes, from 0; -1 where unlabelled.
    pub labels: Vec<i64>,
    /// Which of several sets the clips are of, from 0; a batch is of one.
    pub set: usize,
}

impl TrackBatch {
    /// Checks that the parts belong together.
    ///
    /// # Errors
    /// When the extents of the fields differ or a track names no clip.
    pub fn new(
        keypoints: Tensor,
        presence: Vec<bool>,
        track_clip: Vec<u32>,
        ids: Vec<String>,
        labels: Vec<i64>,
    ) -> crate::Result<Self> {
        let batch = Self {
            keypoints,
            presence,
            track_clip,
            ids,
            labels,
            set: 0,
        };
        batch.check()?;
        Ok(batch)
    }

    fn check(&self) -> candle_core::Result<()> {
        let (n, t, v, _) = self.keypoints.dims4()?;
        let (seen, tracks) = (self.presence.len(), self.track_clip.len());
        let (b, labels) = (self.ids.len(), self.labels.len());
        if seen != n * t * v || tracks != n || labels != b {
            let dims = self.keypoints.dims();
            bail!(
                "a batch of keypoints {dims:?} with {seen} presences, {tracks} tracks, {b} ids, {labels} labels"
            );
        }
        match self.track_clip.iter().find(|&&clip| clip as usize >= b) {
            Some(clip) => bail!("a track of clip {clip} in a batch of {b} clips"),
            None => Ok(()),
        }
    }

    /// b, clips.
    pub fn clips(&self) -> usize {
        self.ids.len()
    }

    /// The mean of each clip's tracks, h (n, d) to (b, d).
    ///
    /// # Errors
    /// When h doesn't have the batch's tracks.
    pub fn mean_by_clip(&self, h: &Tensor) -> candle_core::Result<Tensor> {
        let (n, b) = (self.track_clip.len(), self.clips());
        let mut counts = vec![0.0; b];
        let clips = || self.track_clip.iter().map(|&clip| clip as usize);
        clips().for_each(|clip| counts[clip] += 1.0);
        let mut shares = vec![0.0; b * n];
        for (track, clip) in clips().enumerate() {
            shares[clip * n + track] = 1.0 / counts[clip];
        }
        constant(shares, (b, n), h)?.matmul(h)
    }
}
