//! What bounds a step on this machine: how fast one core multiplies and copies, and how long the matrix
//! products of a step would take at that rate if nothing else took time.
//!
//! `cargo run --release -p strl --example ceilings`

use std::hint::black_box;
use std::time::Instant;

use skeleton_kernels::cpu::chunks::frames_per_chunk;
use skeleton_kernels::cpu::matrix::{Matrix, MatrixMut};
use skeleton_kernels::cpu::product::product;
use skeleton_kernels::instruction_set;

const D: usize = 64;
/// Joint rows of 32 tracks of 64 frames of 17 joints.
const ROWS: usize = 32 * 64 * 17;

/// Seconds, the median of 15 runs.
fn median(mut f: impl FnMut()) -> f64 {
    let mut seconds: Vec<f64> = (0..15)
        .map(|_| {
            let start = Instant::now();
            f();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Operations a second of (rows, 64) times (64, 64) in chunks, as the ops multiply.
fn products() -> f64 {
    let number = |i: usize| (i * 7919 % 1000) as f32 / 1000.0 - 0.5;
    let x: Vec<f32> = (0..ROWS * D).map(number).collect();
    let w: Vec<f32> = (0..D * D).map(number).collect();
    let mut y = vec![0.0; ROWS * D];
    let chunk = frames_per_chunk(17) * 17 * D;
    let seconds = median(|| {
        for (y, x) in y.chunks_mut(chunk).zip(x.chunks(chunk)) {
            let n = y.len() / D;
            let weight = Matrix::new(&w, D, D);
            product(MatrixMut::new(y, n, D), Matrix::new(x, n, D), weight);
        }
    });
    2.0 * (ROWS * D * D) as f64 / seconds
}

/// Bytes a second, read and written, of a copy too large for any cache.
fn copies() -> f64 {
    let x = vec![1.0f32; 64 << 20];
    let mut y = vec![0.0f32; x.len()];
    let seconds = median(|| {
        y.copy_from_slice(&x);
        black_box(&mut y);
    });
    2.0 * (4 * x.len()) as f64 / seconds
}

/// Products of `ROWS` rows with a 64 x 64 matrix in a forward pass of the classifier, as `infer` needs
/// them and as training does.
fn classifier(embedded: bool) -> f64 {
    // Frames of the three layers as they come in, as shares of 64, and behind their strides.
    let layers: [(f64, f64); 3] = [(1.0, 1.0), (1.0, 0.5), (0.5, 0.25)];
    let mut all = 0.0;
    for (i, (t, out)) in layers.into_iter().enumerate() {
        let encoder = 6.0 * t; // three layers of two maps
        let maps = 2.0 * t; // W and the residual
        let reduce = 0.75 * t; // three of four branches
        let taps = 2.0 * 5.0 * 16.0 * 16.0 / (D * D) as f64 * out;
        let point = 0.25 * out;
        let residual = if out < t { out } else { 0.0 };
        // Inference folds the embedding into three maps of the first layer.
        let saved = if embedded && i == 0 { 3.0 } else { 0.0 };
        all += encoder + maps + reduce + taps + point + residual - saved;
    }
    all
}

fn main() {
    let (rate, bytes) = (products(), copies());
    println!(
        "one core, {}: products {:.0} GFLOP/s, copies {:.1} GB/s (read and written)",
        instruction_set(),
        rate / 1e9,
        bytes / 1e9
    );
    let unit = 2.0 * (ROWS * D * D) as f64;
    // Pre-training, 16 tracks: the encoder's second maps and the first ones but the first layer's, the
    // decoder's first map, its second for 4 of 17 joints; twice that on the way back.
    let pretrain = 3.0 * (3.0 + 2.0 + 1.0 + 4.0 / 17.0) / 2.0;
    for (work, products) in [
        ("pre-training step, 16 clips", pretrain),
        ("fine-tuning step, 16 clips x 2", 3.0 * classifier(false)),
        ("inference, 16 clips x 2", classifier(true)),
        ("inference, 1 clip x 2", classifier(true) / 16.0),
    ] {
        println!(
            "{work}: {:.2} GFLOP in products, {:.1} ms at that rate",
            products * unit / 1e9,
            products * unit / rate * 1e3
        );
    }
}
