//! A clip as one row of numbers.

use candle_core::{Device, Tensor};
use rayon::prelude::*;
use skeleton_kernels::host;
use skeletonmae::train::BoxError;
use skeletonmae::train::ranks::{Ranks, Reader, Writer, gathered};
use skeletonmae::{Error, Mode, Result, TrackBatch, Trunk};

use crate::model::{Body, Strl};

/// Equal stretches of time whose means a representation holds.
pub const STRETCHES: usize = 4;

/// The representations of some clips.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// (n), the clips' ids.
    pub ids: Vec<String>,
    /// (n), their classes; -1 where unlabelled.
    pub labels: Vec<i64>,
    /// w, numbers of a clip: d for each stretch and d for the deviation.
    pub width: usize,
    /// (n, w).
    pub values: Vec<f32>,
}

impl Features {
    /// Those of all ranks, which have represented clips that follow each other; the error of one ends all.
    ///
    /// # Errors
    /// This rank's own, another's, or when a rank is gone.
    pub fn of_ranks(ranks: &dyn Ranks, own: Result<Features>) -> Result<Features> {
        if ranks.size() == 1 {
            return own;
        }
        let written = own.map(|own| {
            let mut message = Writer::default();
            message.number(own.width);
            message.number(own.len());
            for (id, label) in own.ids.iter().zip(&own.labels) {
                message.text(id);
                message.number(*label as usize);
            }
            message.singles(&own.values);
            message.done()
        });
        let mut all = Features::default();
        for message in gathered(ranks, written)? {
            let mut message = Reader::of(&message);
            all.width = all.width.max(message.number()?);
            for _ in 0..message.number()? {
                all.ids.push(message.text()?);
                all.labels.push(message.number()? as i64);
            }
            all.values.extend(message.singles()?);
        }
        Ok(all)
    }

    /// n, clips.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// The numbers of clip `at`, (w).
    ///
    /// # Panics
    /// When `at` is not below n.
    pub fn row(&self, at: usize) -> &[f32] {
        &self.values[at * self.width..(at + 1) * self.width]
    }

    /// Whether there is no clip.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The clips' classes.
    ///
    /// # Errors
    /// When there is no clip or one has no label below `classes`; names them as `field`.
    pub(super) fn classes(&self, field: &str, classes: usize) -> Result<Vec<usize>> {
        let expected = format!("clips with labels below {classes}");
        Error::refuse_unless(!self.is_empty(), field, &expected, "none")?;
        let class = |&label: &i64| {
            let class = usize::try_from(label).ok().filter(|&class| class < classes);
            class.ok_or_else(|| Error::setting(field, &expected, label))
        };
        self.labels.iter().map(class).collect()
    }

    /// These clips and then the others', whose numbers mean the same.
    ///
    /// # Panics
    /// When both have clips, of different widths.
    pub fn joined(&self, others: &Features) -> Features {
        assert!(
            self.is_empty() || others.is_empty() || self.width == others.width,
            "one representation"
        );
        Features {
            ids: [&self.ids[..], &others.ids].concat(),
            labels: [&self.labels[..], &others.labels].concat(),
            width: self.width.max(others.width),
            values: [&self.values[..], &others.values].concat(),
        }
    }
}

/// The representations of all clips, in the order of the batches.
///
/// # Errors
/// When data can't be had or an operation fails.
pub fn represent(
    model: &Pretrained,
    batches: impl Iterator<Item = std::result::Result<TrackBatch, BoxError>>,
) -> Result<Features> {
    match model {
        Pretrained::Encoder(encoder) => of_encoder(encoder, batches),
        Pretrained::Strl(body) => of_body(body, batches),
    }
}

/// What was pre-trained, without what only the objective needed.
#[derive(Clone, Debug)]
pub enum Pretrained {
    /// Embedding and encoder.
    Encoder(Trunk),
    /// The classifier but its head.
    Strl(Body),
}

fn of_body(
    body: &Body,
    batches: impl Iterator<Item = std::result::Result<TrackBatch, BoxError>>,
) -> Result<Features> {
    let (d, stride) = (body.width(), body.stride());
    gather(batches, |batch| {
        let (n, t, v, _) = batch.keypoints.dims4()?;
        let h = host::read::<f32>(&body.encode(&batch.keypoints)?)?; // (n, t / stride, v, d)
        let tracks = h
            .par_chunks(h.len() / n)
            .zip(batch.presence.par_chunks(t * v));
        let tracks = tracks.flat_map_iter(|(h, seen)| {
            // A joint is there where it is in any of the frames that a feature stands for.
            let seen = seen.chunks(stride * v).flat_map(|frames| {
                (0..v).map(|joint| frames.iter().skip(joint).step_by(v).any(|seen| *seen))
            });
            over_time(&over_joints(h, &seen.collect::<Vec<_>>(), v, d), d)
        });
        let tracks = Tensor::from_vec(tracks.collect(), (n, (STRETCHES + 1) * d), &Device::Cpu)?;
        Ok(batch.mean_by_clip(&tracks)?)
    })
}

fn of_encoder(
    encoder: &Trunk,
    batches: impl Iterator<Item = std::result::Result<TrackBatch, BoxError>>,
) -> Result<Features> {
    let (mut frames, mut folded) = (None, None);
    gather(batches, |batch| {
        let (n, t, v, c) = batch.keypoints.dims4()?;
        if frames != Some(t) {
            (frames, folded) = (Some(t), encoder.folded(t)?);
        }
        let seen = batch.presence.par_chunks(t * v);
        let d = encoder.width();
        let pooled = |h: &[f32], seen: &[bool]| over_time(&over_joints(h, seen, v, d), d);
        let tracks: Vec<f64> = match &folded {
            Some(folded) if [v, c] == [folded.joints(), folded.reads()] => {
                let s = host::read::<f32>(&batch.keypoints)?;
                let tracks = s.par_chunks(t * v * c).zip(seen);
                tracks
                    .flat_map_iter(|(s, seen)| pooled(&folded.track(s), seen))
                    .collect()
            }
            // It refuses other joints and coordinates, too.
            _ => {
                let h = host::read::<f32>(&encoder.encode(&batch.keypoints, Mode::Eval)?)?; // (n, t, v, d)
                let tracks = h.par_chunks(t * v * d).zip(seen);
                tracks.flat_map_iter(|(h, seen)| pooled(h, seen)).collect()
            }
        };
        let tracks = Tensor::from_vec(tracks, (n, (STRETCHES + 1) * d), &Device::Cpu)?;
        Ok(batch.mean_by_clip(&tracks)?)
    })
}

/// What a classifier makes of clips before it names their class: the mean over time, joints and persons that the head
/// reads. In the order of the batches.
///
/// # Errors
/// When data can't be had or an operation fails.
pub fn of_classifier(
    model: &Strl,
    batches: impl Iterator<Item = std::result::Result<TrackBatch, BoxError>>,
) -> Result<Features> {
    let model = model.frozen()?;
    gather(batches, |batch| Ok(model.features(batch)?))
}

/// The `rows` of all batches, (b, w) of each.
fn gather(
    batches: impl Iterator<Item = std::result::Result<TrackBatch, BoxError>>,
    mut rows: impl FnMut(&TrackBatch) -> Result<Tensor>,
) -> Result<Features> {
    let mut all = Features::default();
    for batch in batches {
        let batch = batch.map_err(Error::Data)?;
        let rows = rows(&batch)?;
        all.width = rows.dim(1)?;
        all.values.extend(host::read::<f32>(&rows)?);
        all.ids.extend(batch.ids);
        all.labels.extend(batch.labels);
    }
    Ok(all)
}

/// The mean of the joints that are there, of each frame that has any: `h` (t, v, d), `presence` (t, v) to at most t rows of d.
fn over_joints(h: &[f32], presence: &[bool], v: usize, d: usize) -> Vec<Vec<f64>> {
    let frames = h.chunks_exact(v * d).zip(presence.chunks_exact(v));
    let frames = frames.filter(|(_, seen)| seen.contains(&true));
    let mean_of_seen = |(frame, seen): (&[f32], &[bool])| {
        let joints = frame.chunks_exact(d).zip(seen);
        mean(joints.filter(|(_, seen)| **seen).map(|(joint, _)| joint), d)
    };
    frames.map(mean_of_seen).collect()
}

/// The means of the stretches and the standard deviation over all frames, (w).
fn over_time(frames: &[Vec<f64>], d: usize) -> Vec<f64> {
    let t = frames.len();
    let frames = |from, to| frames[from..to].iter().map(Vec::as_slice);
    let mut row = Vec::with_capacity((STRETCHES + 1) * d);
    for i in 0..STRETCHES {
        // Where there are fewer frames than stretches, a frame stands for several.
        let from = (i * t / STRETCHES).min(t.saturating_sub(1));
        let to = ((i + 1) * t / STRETCHES).max(from + 1).min(t);
        row.extend(mean(frames(from, to), d));
    }
    row.extend(mean_and_deviation(frames(0, t), d).1);
    row
}

/// The mean of rows of `width` numbers; zeros where there is no row.
fn mean<'a, T: Copy + Into<f64> + 'a>(
    rows: impl Iterator<Item = &'a [T]> + Clone,
    width: usize,
) -> Vec<f64> {
    let n = rows.clone().count() as f64;
    let mut mean = vec![0.0; width];
    for row in rows {
        for (sum, &x) in mean.iter_mut().zip(row) {
            *sum += x.into() / n;
        }
    }
    mean
}

/// The [`mean`] of rows and their standard deviation from it.
fn mean_and_deviation<'a, T: Copy + Into<f64> + 'a>(
    rows: impl Iterator<Item = &'a [T]> + Clone,
    width: usize,
) -> (Vec<f64>, Vec<f64>) {
    let centre = mean(rows.clone(), width);
    let n = rows.clone().count() as f64;
    let mut variance = vec![0.0; width];
    for row in rows {
        for ((sum, &x), m) in variance.iter_mut().zip(row).zip(&centre) {
            *sum += (x.into() - m) * (x.into() - m) / n;
        }
    }
    let deviation = variance.into_iter().map(f64::sqrt).collect();
    (centre, deviation)
}

/// Brings features to mean 0 and standard deviation 1 over the training clips.
#[derive(Clone, Debug)]
pub(super) struct Standard {
    mean: Vec<f64>,
    /// One over the deviation; 0 where a feature is the same in all clips.
    factor: Vec<f64>,
}

/// A deviation below this share of the mean is rounding.
const CONSTANT: f64 = 1e-6;

impl Standard {
    /// By the mean and deviation of each feature.
    pub(super) fn of(train: &Features) -> Standard {
        let rows = train.values.chunks_exact(train.width.max(1));
        let (mean, deviation) = mean_and_deviation(rows, train.width);
        let factor = deviation.iter().zip(&mean).map(|(deviation, mean)| {
            let differs = *deviation > CONSTANT * mean.abs();
            if differs { 1.0 / deviation } else { 0.0 }
        });
        Standard {
            factor: factor.collect(),
            mean,
        }
    }

    /// The standardised features, (n, w).
    pub(super) fn rows(&self, features: &Features) -> Vec<f32> {
        let rows = features.values.chunks_exact(features.width.max(1));
        let row = |row: &[f32]| -> Vec<f32> {
            let each = row.iter().zip(&self.mean).zip(&self.factor);
            each.map(|((&x, mean), factor)| ((f64::from(x) - mean) * factor) as f32)
                .collect()
        };
        rows.flat_map(row).collect()
    }

    /// [`rows`](Self::rows) as a tensor.
    pub(super) fn tensor(&self, features: &Features) -> Result<Tensor> {
        let shape = (features.len(), features.width);
        Ok(Tensor::from_vec(self.rows(features), shape, &Device::Cpu)?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::*;

    #[test]
    fn missing_joints_have_no_part_in_the_mean() {
        // Two frames of two joints, d = 1; the second frame has none.
        let rows = over_joints(&[1.0, 5.0, 7.0, 9.0], &[true, false, false, false], 2, 1);
        assert_eq!(rows, [[1.0]]);
        assert_eq!(over_joints(&[1.0, 5.0], &[true, true], 2, 1), [[3.0]]);
    }

    #[test]
    fn stretches_come_in_order_and_the_deviation_last() {
        let frames: Vec<Vec<f64>> = (0..8).map(|t| vec![f64::from(t)]).collect();
        let row = over_time(&frames, 1);
        assert_eq!(row[..4], [0.5, 2.5, 4.5, 6.5]);
        assert!((row[4] - 5.25_f64.sqrt()).abs() < 1e-12, "{row:?}");
        // Few frames: each stretch still has one.
        assert_eq!(over_time(&frames[..1], 1), [0.0; 5]);
        assert_eq!(over_time(&frames[1..3], 1)[..4], [1.0, 1.0, 2.0, 2.0]);
    }

    #[test]
    fn a_clip_is_the_mean_of_its_tracks() {
        let keypoints = Tensor::zeros((3, 1, 1, 2), DType::F32, &Device::Cpu).unwrap();
        let ids = vec!["a".to_owned(), "b".to_owned()];
        let batch = TrackBatch::new(keypoints, vec![true; 3], vec![0, 0, 1], ids, vec![0, 1]);
        let tracks = Tensor::new(&[[1.0], [3.0], [5.0f64]], &Device::Cpu).unwrap();
        let clips = batch.unwrap().mean_by_clip(&tracks).unwrap();
        assert_eq!(clips.to_vec2::<f64>().unwrap(), [[2.0], [5.0]]);
    }

    #[test]
    fn standardised_features_have_mean_0_and_deviation_1_and_constants_vanish() {
        let features = Features {
            ids: vec!["a".into(), "b".into()],
            labels: vec![0, 1],
            width: 2,
            values: vec![1.0, 7.0, 3.0, 7.0],
        };
        let standard = Standard::of(&features);
        assert_eq!(standard.rows(&features), [-1.0, 0.0, 1.0, 0.0]);
    }
}
