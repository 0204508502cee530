//! Normalisation of a sampled clip: an affine map of its coordinates, found from the clip.

mod affine;
mod stats;
mod view;

use serde::{Deserialize, Serialize};

pub(crate) use affine::{Affine, Matrix};
pub(crate) use stats::Stats;
pub use view::View;
pub(crate) use view::{Axes, ViewJoints};

use crate::{ClipView, Error, Result};

/// Added to the standard deviation, so that a motionless point divides by something.
const EPSILON: f64 = 1e-6;

/// Image size (height, width) assumed where the source doesn't know it.
const DEFAULT_IMAGE: (u32, u32) = (1080, 1920);

/// What is subtracted from the coordinates and what divides or turns them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalization {
    /// The coordinates as the source has them.
    None,
    /// Centred and scaled. The mean of each coordinate over the present joints of all tracks and sampled frames is
    /// subtracted, then everything is divided by the one standard deviation of all coordinates (plus 1e-6): people
    /// keep their distance and their proportions.
    #[default]
    Clip,
    /// pyskl's `PreNormalize2D`: `(x - w/2) / (w/2)` and `(y - h/2) / (h/2)` with the clip's image size (1920 x 1080 where
    /// it is unknown); two coordinates only. Its threshold is [`Reading::score_threshold`](crate::reading::Reading), there
    /// 0.01.
    Image,
    /// pyskl's `PreNormalize3D`: people are moved and turned so that the leading one stands upright and faces
    /// the same way in every clip; three coordinates only.
    View(View),
}

impl Normalization {
    /// The axis that is vertical after it.
    pub(crate) fn up(&self) -> usize {
        match self {
            Normalization::View(_) => 2,
            _ => 1,
        }
    }

    /// Whether it needs the statistics of the sampled clip.
    pub(crate) fn wants_stats(&self) -> bool {
        matches!(self, Normalization::Clip)
    }

    /// The map of one clip; `stats` are those of its sampled joints, `axes` those of its view.
    ///
    /// # Errors
    /// `Image` on a clip without exactly two coordinates, or with an image without area.
    pub(crate) fn affine<const C: usize>(
        &self,
        view: &ClipView<'_>,
        stats: &Stats<C>,
        axes: Option<&Axes>,
    ) -> Result<Option<Affine<C>>> {
        match self {
            Normalization::None => Ok(None),
            Normalization::Clip => {
                let factor = 1.0 / (stats.variance.max(0.0).sqrt() + EPSILON);
                Ok(Some(Affine::scaling([factor; C], stats.mean)))
            }
            Normalization::Image => {
                let half = half_image::<C>(view)?;
                Ok(Some(Affine::scaling(half.map(|half| 1.0 / half), half)))
            }
            Normalization::View(_) => Ok(axes.map(Axes::affine)),
        }
    }
}

/// (w/2, h/2) of the clip's image.
fn half_image<const C: usize>(view: &ClipView<'_>) -> Result<[f64; C]> {
    if C != 2 {
        let found = format!("{C} coordinates");
        let expected = "2 coordinates for normalisation by the image";
        return Err(Error::clip(view.id, expected, found));
    }
    let (height, width) = view.image.unwrap_or(DEFAULT_IMAGE);
    if height == 0 || width == 0 {
        let found = format!("{width} x {height} pixels");
        return Err(Error::clip(view.id, "an image with an area", found));
    }
    Ok(std::array::from_fn(|c| {
        f64::from([width, height][c.min(1)]) / 2.0
    }))
}
