//! Several clips as plain arrays.

use skeleton_graph::random::{Key, Purpose, stream};

use crate::augment::Augment;
use crate::reading::Reader;
use crate::{ClipSource, Error, Result};

/// The tracks of a batch of clips, one person of one clip each, present ones only: a clip of two people has two.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// t.
    pub frames: usize,
    /// v.
    pub joints: usize,
    /// c.
    pub coordinates: usize,
    /// (n, t, v, c); absent joints are 0.
    pub keypoints: Vec<f32>,
    /// (n, t, v), 1 where the joint is present, else 0.
    pub presence: Vec<f32>,
    /// (n), the clip of each track, counted from 0 within the batch and never falling.
    pub track_clip: Vec<u32>,
    /// (b), the clips' names.
    pub ids: Vec<String>,
    /// (b), the clips' classes, -1 where a clip has none.
    pub labels: Vec<i64>,
}

impl Batch {
    /// b.
    pub fn clips(&self) -> usize {
        self.ids.len()
    }

    /// n.
    pub fn tracks(&self) -> usize {
        self.track_clip.len()
    }
}

/// What the augmentation of a batch is drawn from, together with each clip's own name: never the batch's make-up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draws<'a> {
    pub augment: Option<&'a Augment>,
    pub seed: u64,
    pub epoch: u64,
}

/// Reads the clips of `indices`, in this order.
pub(crate) fn read_batch(
    source: &dyn ClipSource,
    reader: &mut Reader,
    frames: usize,
    draws: Draws<'_>,
    indices: &[u32],
) -> Result<Batch> {
    let mut batch = Batch {
        frames,
        ..Batch::default()
    };
    for (clip, &index) in indices.iter().enumerate() {
        if index as usize >= source.len() {
            let expected = format!("an index below the source's {} clips", source.len());
            return Err(Error::setting("order", expected, index));
        }
        let view = source.clip(index as usize)?;
        if clip == 0 {
            (batch.joints, batch.coordinates) = (view.joints, view.coordinates);
            let values = indices.len() * frames * view.joints;
            batch.keypoints.reserve(values * view.coordinates);
            batch.presence.reserve(values);
        } else if view.coordinates != batch.coordinates {
            let expected = format!("{} coordinates, as the clip before has", batch.coordinates);
            return Err(Error::clip(view.id, expected, view.coordinates.to_string()));
        }
        let mut rng = stream(
            draws.seed,
            Purpose::Augment,
            draws.epoch,
            Key::Clip(view.id),
        );
        let augment = draws.augment.map(|augment| (augment, &mut rng));
        let tracks = reader.read(&view, augment, &mut batch.keypoints, &mut batch.presence)?;
        batch
            .track_clip
            .extend(std::iter::repeat_n(clip as u32, tracks));
        batch.ids.push(view.id.to_owned());
        batch.labels.push(view.label.map_or(-1, i64::from));
    }
    Ok(batch)
}
