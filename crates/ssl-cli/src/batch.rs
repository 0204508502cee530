//! From skeleton-data's plain arrays to the tensors that the engines consume: the one place where
//! data and models meet.

use candle_core::{Device, Tensor};
use skeleton_data::loader::Batch;
use skeletonmae::TrackBatch;

/// Moves the arrays of one batch into tensors on `device`.
///
/// # Errors
/// When the arrays don't fit together, which would be a bug of the loader.
pub fn track_batch(batch: Batch, device: &Device) -> skeletonmae::Result<TrackBatch> {
    let shape = (
        batch.tracks(),
        batch.frames,
        batch.joints,
        batch.coordinates,
    );
    let keypoints = Tensor::from_vec(batch.keypoints, shape, device)?;
    let presence = batch
        .presence
        .iter()
        .map(|&present| present > 0.0)
        .collect();
    TrackBatch::new(
        keypoints,
        presence,
        batch.track_clip,
        batch.ids,
        batch.labels,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Batch {
        Batch {
            frames: 2,
            joints: 1,
            coordinates: 2,
            keypoints: (0..12).map(|x| x as f32).collect(),
            presence: vec![1.0, 0.0, 1.0, 1.0, 1.0, 1.0],
            track_clip: vec![0, 0, 1],
            ids: vec!["a".into(), "b".into()],
            labels: vec![3, -1],
        }
    }

    #[test]
    fn axes_keep_their_order() {
        let tracks = track_batch(batch(), &Device::Cpu).unwrap();
        assert_eq!(tracks.keypoints.dims(), [3, 2, 1, 2]);
        let last = tracks
            .keypoints
            .get(2)
            .unwrap()
            .get(1)
            .unwrap()
            .flatten_all()
            .unwrap();
        assert_eq!(last.to_vec1::<f32>().unwrap(), [10.0, 11.0]);
        assert_eq!(tracks.presence, [true, false, true, true, true, true]);
        assert_eq!(
            (tracks.clips(), tracks.track_clip, tracks.labels),
            (2, vec![0, 0, 1], vec![3, -1])
        );
    }

    #[test]
    fn arrays_that_do_not_fit_are_an_error() {
        let mut short = batch();
        short.keypoints.pop();
        assert!(track_batch(short, &Device::Cpu).is_err());
        let mut lost = batch();
        lost.track_clip[2] = 7;
        assert!(track_batch(lost, &Device::Cpu).is_err());
    }
}
