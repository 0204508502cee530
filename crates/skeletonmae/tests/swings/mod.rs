//! Made-up clips, for tests of training.

use candle_core::{Device, Tensor};
use skeletonmae::TrackBatch;

/// Eight clips of one person, the last of two: each swings its wrists at a pace and a width of its own.
pub fn clips() -> TrackBatch {
    let (n, t, v) = (9, 8, 17);
    let mut keypoints = vec![0.0f32; n * t * v * 2];
    for (row, point) in keypoints.chunks_exact_mut(2).enumerate() {
        let (clip, frame, joint) = (row / (t * v), row / v % t, row % v);
        let side = if joint % 2 == 1 { 0.3 } else { -0.3 };
        let pace = 0.2 + 0.2 * clip as f32;
        point.copy_from_slice(&[side + 0.05 * clip as f32, joint as f32 / 8.0 - 1.0]);
        if joint == 9 || joint == 10 {
            let (sin, cos) = (frame as f32 * pace).sin_cos();
            point[0] += 0.6 * cos;
            point[1] += 0.1 * clip as f32 * sin;
        }
    }
    let keypoints = Tensor::from_vec(keypoints, (n, t, v, 2), &Device::Cpu).unwrap();
    let ids = (0..8).map(|i| format!("clip {i}")).collect();
    let tracks = vec![0, 1, 2, 3, 4, 5, 6, 7, 7];
    TrackBatch::new(keypoints, vec![true; n * t * v], tracks, ids, vec![-1; 8]).unwrap()
}
