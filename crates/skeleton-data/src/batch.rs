//! Several clips as plain arrays.

use skeleton_graph::random::{Key, Purpose, stream};

use crate::augment::Augment;
use crate::reading::{self, Reader, Reading};
use crate::{ClipSource, Error, Result};

/// The tracks of a batch of clips, one person of one clip each, present ones only: a clip of two people has two.
///
/// In evaluation with several views ([`Reading::clips`]) each view counts as a clip here: those of one clip follow
/// each other and share its name and label.
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
    /// (n), the clip (or view) of each track, counted from 0 within the batch and never falling.
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

/// How the clips of a batch are read, and what their augmentation is drawn from, together with each clip's own name: never
/// the batch's make-up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner<'a> {
    pub reading: &'a Reading,
    /// For training; without it clips are read for evaluation.
    pub augment: Option<&'a Augment>,
    pub seed: u64,
    pub epoch: u64,
}

/// Reads the clips of `indices`, in this order: once each for training, in all their views for evaluation.
pub(crate) fn read_batch(
    source: &dyn ClipSource,
    reader: &mut Reader,
    manner: Manner<'_>,
    indices: &[u32],
) -> Result<Batch> {
    let mut batch = Batch {
        frames: manner.reading.frames,
        ..Batch::default()
    };
    let views = match manner.augment {
        Some(_) => 1,
        None => manner.reading.clips,
    };
    for (clip, &index) in indices.iter().enumerate() {
        if index as usize >= source.len() {
            let expected = format!("an index below the source's {} clips", source.len());
            return Err(Error::setting("order", expected, index));
        }
        let view = source.clip(index as usize)?;
        if clip == 0 {
            (batch.joints, batch.coordinates) = (view.joints, view.coordinates);
            let tracks = indices.len() * views * view.persons.min(manner.reading.persons);
            let values = tracks * manner.reading.frames * view.joints;
            batch.keypoints.reserve(values * view.coordinates);
            batch.presence.reserve(values);
        } else if view.coordinates != batch.coordinates {
            let expected = format!("{} coordinates, as the clip before has", batch.coordinates);
            return Err(Error::clip(view.id, expected, view.coordinates.to_string()));
        }
        for number in 0..views {
            let (seed, epoch) = (manner.seed, manner.epoch);
            let mut rng = stream(seed, Purpose::Augment, epoch, Key::Clip(view.id));
            let purpose = match manner.augment {
                Some(augment) => reading::Purpose::Training {
                    augment,
                    rng: &mut rng,
                },
                None => reading::Purpose::Evaluation { view: number },
            };
            let read = reader.read(&view, purpose, &mut batch.keypoints, &mut batch.presence)?;
            let entry = (clip * views + number) as u32;
            batch.track_clip.extend(std::iter::repeat_n(entry, read));
            batch.ids.push(view.id.to_owned());
            batch.labels.push(view.label.map_or(-1, i64::from));
        }
    }
    Ok(batch)
}
