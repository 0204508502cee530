//! Reading one clip: presence, tracks, window, resampling, normalisation, augmentation, in this order.

use serde::{Deserialize, Serialize};
use skeleton_graph::{Layout, random::Rng};

use crate::augment::{Augment, Draw, add_noise};
use crate::normalize::{Normalization, mean};
use crate::sample::{Sampler, Window};
use crate::{ClipView, Error, Result};

/// How clips become arrays of one length. A checkpoint records it: a model reads new clips the way it was trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// T, the frames every clip is resampled to.
    pub frames: usize,
    /// What is subtracted from the coordinates and what divides them.
    pub normalization: Normalization,
    /// A joint whose score is not above this is absent; of no effect on sources without scores.
    pub score_threshold: f32,
    /// At most this many people of a clip are read: those with the most present joints.
    pub persons: usize,
}

impl Default for Reading {
    /// 64 frames of at most two people, standardised by the clip, joints of score 0 absent.
    fn default() -> Self {
        Reading {
            frames: 64,
            normalization: Normalization::Clip,
            score_threshold: 0.0,
            persons: 2,
        }
    }
}

impl Reading {
    /// Checks the ranges.
    ///
    /// # Errors
    /// A setting out of its range, by name.
    pub fn check(&self) -> Result<()> {
        if self.frames == 0 {
            return Err(Error::setting("reading.frames", "1 or more", self.frames));
        }
        if self.persons == 0 {
            return Err(Error::setting("reading.persons", "1 or more", self.persons));
        }
        if self.score_threshold.is_nan() {
            return Err(Error::setting(
                "reading.score_threshold",
                "a number",
                self.score_threshold,
            ));
        }
        Ok(())
    }
}

/// The tracks of one clip.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracks {
    /// n, the people of the clip that were read.
    pub tracks: usize,
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
}

/// Reads one clip; `augment` carries the changes and the generator they are drawn from.
///
/// # Errors
/// A clip that doesn't fit the layout, has no present joint, or can't be normalised as asked; a setting out of range.
pub fn read_clip(
    view: &ClipView<'_>,
    layout: &Layout,
    reading: &Reading,
    augment: Option<(&Augment, &mut Rng)>,
) -> Result<Tracks> {
    reading.check()?;
    if let Some((augment, _)) = &augment {
        augment.check()?;
    }
    let (mut keypoints, mut presence) = (Vec::new(), Vec::new());
    let mut reader = Reader::new(layout, reading.clone());
    let tracks = reader.read(view, augment, &mut keypoints, &mut presence)?;
    let (frames, joints, coordinates) = (reading.frames, view.joints, view.coordinates);
    Ok(Tracks {
        tracks,
        frames,
        joints,
        coordinates,
        keypoints,
        presence,
    })
}

/// [`read_clip`] with working memory that is kept from clip to clip. The settings have been checked.
#[derive(Debug)]
pub(crate) struct Reader {
    reading: Reading,
    mirror: Vec<usize>,
    sampler: Sampler,
    row: Vec<f32>,
    bytes: Vec<u8>,
}

impl Reader {
    pub fn new(layout: &Layout, reading: Reading) -> Reader {
        let mirror = layout.mirror();
        Reader {
            reading,
            mirror,
            sampler: Sampler::default(),
            row: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// Appends the clip's tracks, (n, t, v, c) and (n, t, v), and returns n. After an error the appended part is
    /// unspecified.
    pub fn read(
        &mut self,
        view: &ClipView<'_>,
        augment: Option<(&Augment, &mut Rng)>,
        keypoints: &mut Vec<f32>,
        presence: &mut Vec<f32>,
    ) -> Result<usize> {
        self.check(view)?;
        let threshold = self.reading.score_threshold;
        self.sampler.survey(view, threshold, self.reading.persons);
        if self.sampler.tracks.is_empty() {
            return Err(Error::clip(view.id, "a present joint", "none in any frame"));
        }
        let kept = self.sampler.frames.len();
        let mut augment = augment.map(|(augment, rng)| (augment, augment.draw(rng), rng));
        let window = augment
            .as_ref()
            .map_or(Window::whole(kept), |(_, draw, _)| draw.window(kept));
        let change = augment
            .as_mut()
            .map(|(augment, draw, rng)| (&**augment, &*draw, &mut **rng));
        match view.coordinates {
            2 => self.finish::<2>(view, window, change, keypoints, presence)?,
            _ => self.finish::<3>(view, window, change, keypoints, presence)?,
        }
        Ok(self.sampler.tracks.len())
    }

    /// Resamples, normalises and augments what was surveyed.
    fn finish<const C: usize>(
        &mut self,
        view: &ClipView<'_>,
        window: Window,
        augment: Option<(&Augment, &Draw, &mut Rng)>,
        keypoints: &mut Vec<f32>,
        presence: &mut Vec<f32>,
    ) -> Result<()> {
        let (first, first_presence) = (keypoints.len(), presence.len());
        let Reading {
            frames,
            normalization,
            score_threshold,
            ..
        } = self.reading;
        self.sampler
            .resample::<C>(view, score_threshold, window, frames, keypoints, presence);
        let (keypoints, presence) = (&mut keypoints[first..], &mut presence[first_presence..]);
        normalization.apply::<C>(view, keypoints, presence)?;
        if let Some((augment, draw, rng)) = augment {
            // Standardised clips have their centre at 0 already.
            let centre = match normalization {
                Normalization::Clip => [0.0; C],
                Normalization::None | Normalization::Image => mean::<C>(keypoints, presence),
            };
            draw.transform::<C>(keypoints, presence, centre, &self.mirror, &mut self.row);
            add_noise::<C>(keypoints, presence, augment.noise, rng, &mut self.bytes);
        }
        Ok(())
    }

    fn check(&self, view: &ClipView<'_>) -> Result<()> {
        let wrong = |expected: String, found: String| Err(Error::clip(view.id, expected, found));
        if view.joints != self.mirror.len() {
            return wrong(
                format!("the layout's {} joints", self.mirror.len()),
                view.joints.to_string(),
            );
        }
        if !(2..=3).contains(&view.coordinates) {
            return wrong("2 or 3 coordinates".into(), view.coordinates.to_string());
        }
        let joints = view
            .persons
            .checked_mul(view.frames)
            .and_then(|rows| rows.checked_mul(view.joints));
        let values = joints.and_then(|joints| joints.checked_mul(view.coordinates));
        if values != Some(view.keypoints.len()) {
            let shape = format!(
                "{} x {} x {} x {}",
                view.persons, view.frames, view.joints, view.coordinates
            );
            return wrong(
                format!("{shape} coordinates"),
                view.keypoints.len().to_string(),
            );
        }
        match view.scores {
            Some(scores) if joints != Some(scores.len()) => {
                let shape = format!("{} x {} x {}", view.persons, view.frames, view.joints);
                wrong(format!("{shape} scores"), scores.len().to_string())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
