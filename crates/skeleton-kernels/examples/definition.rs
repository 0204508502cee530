//! An encoder of three GIN layers by its definition and by its fused form: the largest difference, and the time of each.
//! `cargo run --release -p skeleton-kernels --example definition`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use candle_core::{Device, Result, Tensor};
use skeleton_graph::Layout;
use skeleton_kernels::params::Named;
use skeleton_kernels::{GinLayer, JointMatrix, Readout, Stats, gin, instruction_set};

const D: usize = 64;
const SHAPE: [usize; 4] = [16, 64, 17, D]; // tracks, frames, joints, features
const TIMES: u32 = 5;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let coco17 = Layout::built_in("coco17")?.adjacency();
    let a = Arc::new(JointMatrix::new(&coco17.binary(), coco17.len()));
    let x = numbers(&SHAPE, 1.0)?;
    let layers = vec![GinLayer::shapes(D, D, None); 3];
    let layers = layers.map(&mut |dims: &Vec<usize>| numbers(dims, 0.1).expect("a shape"));
    let (readout, stats) = (Readout::Joints, Stats::Batch);

    let (fused, in_time) = timed(|| Ok(gin(&x, &layers, &a, &readout, stats)?.0))?;
    let (definition, in_more) = timed(|| Ok(gin::reference(&x, &layers, &a, &readout, stats)?.0))?;

    let off = (&fused - &definition)?.abs()?.flatten_all()?.max(0)?;
    let size = definition.abs()?.flatten_all()?.max(0)?;
    let [off, size] = [off.to_scalar::<f32>()?, size.to_scalar::<f32>()?];
    println!("vectors of the fused form: {}", instruction_set());
    println!("largest difference {off:.1e}, largest number {size:.1}");
    println!("fused {in_time:.1?}, definition {in_more:.1?}");
    Ok(())
}

/// Numbers that look random, of this size at most.
fn numbers(shape: &[usize], size: f32) -> Result<Tensor> {
    let value = |i: usize| (((i * 7919) % 1009) as f32 / 504.5 - 1.0) * size;
    Tensor::from_vec(
        (0..shape.iter().product()).map(value).collect(),
        shape,
        &Device::Cpu,
    )
}

/// The result of `f`, and the shortest of several times that it takes.
fn timed(f: impl Fn() -> Result<Tensor>) -> Result<(Tensor, Duration)> {
    let once = || {
        let start = Instant::now();
        f().map(|y| (y, start.elapsed()))
    };
    (1..TIMES).try_fold(once()?, |(_, best), _| {
        once().map(|(y, time)| (y, time.min(best)))
    })
}
