//! What a classifier makes of clips before it names their class.

use skeletonmae::train::BoxError;
use skeletonmae::{Error, Result, TrackBatch};

use super::Features;
use crate::model::Strl;

/// A row of D numbers a clip: the mean over time, joints and persons that the head reads. In the order of the batches.
///
/// # Errors
/// When data can't be had or an operation fails.
pub fn of_classifier(
    model: &Strl,
    batches: impl Iterator<Item = std::result::Result<TrackBatch, BoxError>>,
) -> Result<Features> {
    let model = model.frozen()?;
    let mut all = Features::default();
    for batch in batches {
        let batch = batch.map_err(Error::Data)?;
        let rows = model.features(&batch)?; // (b, d)
        all.width = rows.dim(1)?;
        all.values.extend(rows.flatten_all()?.to_vec1::<f32>()?);
        all.ids.extend(batch.ids);
        all.labels.extend(batch.labels);
    }
    Ok(all)
}
