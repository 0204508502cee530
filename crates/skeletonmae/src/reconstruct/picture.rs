//! One clip with what the model makes of its hidden joints, to be drawn.

use candle_core::Result;
use skeleton_graph::Layout;

use super::{Frames, Lift, PartError, to_f64};
use crate::batch::TrackBatch;
use crate::layers::Mode;
use crate::mask::Mask;
use crate::model::SkeletonMae;

/// Clips as the model sees and completes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// (n, t, v, c), the batch's coordinates, the model's in place of hidden joints that were seen.
    pub coordinates: Vec<f32>,
    /// How far they are off.
    pub error: PartError,
}

impl Picture {
    /// Hides the joints `hidden` (v) in all frames and puts them back.
    ///
    /// # Errors
    /// When the batch doesn't fit the model.
    ///
    /// # Panics
    /// When `hidden` doesn't hold one flag a joint of the batch.
    pub fn new(
        model: &SkeletonMae,
        layout: &Layout,
        batch: &TrackBatch,
        hidden: &[bool],
    ) -> Result<Self> {
        let (n, _, v, c) = batch.keypoints.dims4()?;
        let mask = Mask::of_tracks(batch, &vec![hidden.to_vec(); n]);
        let (_, y) = model.forward(&batch.keypoints, &mask, Mode::Eval)?; // (n, t, v, d)
        let (truth, y) = (to_f64(&batch.keypoints)?, to_f64(&y)?);
        let lift = Lift::of(model)?;
        let frames = Frames {
            truth: &truth,
            y: &y,
            mask: &mask,
        };
        let error = frames.errors(
            lift.as_ref(),
            &layout.adjacency().hops(),
            &batch.presence,
            v,
        );
        let d = y.len() / batch.presence.len();
        let mut coordinates: Vec<f32> = truth.iter().map(|&x| x as f32).collect();
        for row in mask.target_rows() {
            let row = row as usize;
            // Without a positive scale there is no best place: the origin, as errors count it.
            let y = &y[row * d..(row + 1) * d];
            let found = match &lift {
                Some(lift) => lift.coordinates(y).unwrap_or_else(|| vec![0.0; c]),
                None => y.to_vec(),
            };
            for (to, from) in coordinates[row * c..].iter_mut().zip(found) {
                *to = from as f32;
            }
        }
        Ok(Self { coordinates, error })
    }
}
