//! What the definitions are made of, each alone, as passes over memory; and the ops, forward and back: where the time of a
//! step goes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use candle_core::{D as Last, DType, Device, Result, Tensor, Var};
use serde_json::json;
use skeleton_graph::Layout;
use skeleton_kernels::params::Named;
use skeleton_kernels::{
    self as kernels, Activation, Branches, GinLayer, JointMatrix, Readout, SpatialWeights, Stats,
    TemporalWeights,
};

use crate::memory;
use crate::numbers::{median, variable};
use crate::report::{Outcome, Report};

const FRAMES: usize = 64;
const JOINTS: usize = 17;
const D: usize = 64;
/// Most repetitions of a piece, and the time after which no further one is begun.
const REPETITIONS: usize = 15;
const LONGEST: Duration = Duration::from_secs(1);

type Piece<'a> = (&'static str, Box<dyn Fn() -> Result<Tensor> + 'a>);

pub fn measure(device: &Device, clips: &[usize], report: &mut Report) {
    // An activation of 71 MB where there is a size near it.
    let clips = clips.iter().copied().filter(|&n| n <= 256).max();
    let clips = clips.unwrap_or(16);
    memory::keep_freed(device, u64::MAX);
    let title = format!("Pieces at {clips} clips x {FRAMES} frames x {JOINTS} joints, D = {D}");
    report.table(&title, &["piece", "ms", "activations a second"]);
    report.guarded("pieces", |report| pieces(clips, device, report));
    let title = format!("Ops at {clips} clips x {FRAMES} frames x {JOINTS} joints, D = {D}");
    report.table(&title, &["op", "forward (ms)", "forward and back (ms)"]);
    report.guarded("ops' times", |report| ops(clips, device, report));
    memory::keep_freed(device, 0);
}

/// The median time of it, in seconds, the device waited for.
fn time(device: &Device, work: &dyn Fn() -> Result<()>) -> Result<f64> {
    let (mut times, begun) = (Vec::new(), Instant::now());
    for i in 0..REPETITIONS + 2 {
        if i > 2 && begun.elapsed() > LONGEST {
            break;
        }
        device.synchronize()?;
        let start = Instant::now();
        work()?;
        device.synchronize()?;
        if i > 1 {
            times.push(start.elapsed().as_secs_f64());
        }
    }
    Ok(median(times))
}

fn pieces(clips: usize, device: &Device, report: &mut Report) -> Outcome<()> {
    let (frames, rows) = (clips * FRAMES, clips * FRAMES * JOINTS);
    let tensor = |dims: &[usize], index| -> Result<Tensor> {
        let variable = variable(dims, 1.0, index, DType::F32, device)?;
        Ok(variable.as_detached_tensor())
    };
    let (x, y) = (tensor(&[rows, D], 0)?, tensor(&[rows, D], 1)?);
    let (w, row) = (tensor(&[D, D], 2)?, tensor(&[1, D], 3)?);
    let mixing = tensor(&[1, JOINTS, JOINTS], 4)?;
    let column = tensor(&[rows, 1], 5)?;
    let ones = |dims: [usize; 2]| Tensor::ones(&dims, DType::F32, device);
    let (across, down, of_row) = (ones([1, rows])?, ones([rows, 1])?, ones([D, 1])?);
    let every = Tensor::new(
        (0..rows as u32)
            .filter(|row| row % 3 == 0)
            .collect::<Vec<_>>(),
        device,
    )?;
    let in_frames = x.reshape((frames, JOINTS, D))?;
    let repeated = mixing.broadcast_as((frames, JOINTS, JOINTS))?;
    let all: Vec<Piece<'_>> = vec![
        ("x + y", Box::new(|| &x + &y)),
        ("relu(x)", Box::new(|| x.relu())),
        ("2 x + 1", Box::new(|| x.affine(2.0, 1.0))),
        ("zeros", Box::new(|| x.zeros_like())),
        (
            "x >= 0 as numbers",
            Box::new(|| x.ge(&x.zeros_like()?)?.to_dtype(DType::F32)),
        ),
        ("x W", Box::new(|| x.matmul(&w))),
        ("x^T y", Box::new(|| x.t()?.matmul(&y))),
        ("row of ones x", Box::new(|| across.matmul(&x))),
        ("sum over rows", Box::new(|| x.sum(0))),
        ("x column of ones", Box::new(|| x.matmul(&of_row))),
        ("sum over columns", Box::new(|| x.sum(Last::Minus1))),
        ("column of ones row", Box::new(|| down.matmul(&row))),
        (
            "row repeated",
            Box::new(|| row.broadcast_as((rows, D))?.contiguous()),
        ),
        ("x + row, broadcast", Box::new(|| x.broadcast_add(&row))),
        ("x column, broadcast", Box::new(|| x.broadcast_mul(&column))),
        ("M copied to each frame", Box::new(|| repeated.contiguous())),
        (
            "M x in each frame, M copied",
            Box::new(|| repeated.contiguous()?.matmul(&in_frames)),
        ),
        (
            "M x in each frame, by transposes and one product",
            Box::new(|| {
                let x = in_frames
                    .transpose(1, 2)?
                    .contiguous()?
                    .reshape(((), JOINTS))?;
                let y = x.matmul(&mixing.squeeze(0)?.t()?)?;
                y.reshape((frames, D, JOINTS))?
                    .transpose(1, 2)?
                    .contiguous()
            }),
        ),
        ("every third row", Box::new(|| x.index_select(&every, 0))),
        (
            "x transposed",
            Box::new(|| in_frames.transpose(1, 2)?.contiguous()),
        ),
    ];
    for (name, run) in &all {
        report.guarded(name, |report| {
            let seconds = time(device, &|| run().map(drop))?;
            let bytes = (rows * D * 4) as f64;
            let cells = [
                (*name).to_owned(),
                format!("{:.3}", seconds * 1e3),
                format!("{:.2} TB/s", bytes / seconds / 1e12),
            ];
            let value = json!({"piece": name, "clips": clips, "seconds": seconds});
            report.row("pieces", &cells, value);
            Ok(())
        });
    }
    Ok(())
}

fn variables<S: Named<Vec<usize>>>(shapes: &S, device: &Device) -> Result<S::Of<Tensor>> {
    let mut failed = None;
    let mut index = 10;
    let all = shapes.map(&mut |dims: &Vec<usize>| {
        index += 1;
        match variable(dims, 0.5, index, DType::F32, device) {
            Ok(own) => own.as_tensor().clone(),
            Err(error) => {
                failed = Some(error);
                Tensor::zeros(dims.as_slice(), DType::F32, &Device::Cpu).expect("it is small")
            }
        }
    });
    failed.map_or(Ok(all), Err)
}

fn ops(clips: usize, device: &Device, report: &mut Report) -> Outcome<()> {
    let dims = [clips, FRAMES, JOINTS, D];
    let x = variable(&dims, 1.0, 0, DType::F32, device)?;
    let adjacency = Layout::built_in("coco17")?.adjacency();
    let matrix = |dense: Vec<f64>| Arc::new(JointMatrix::new(&dense, JOINTS));
    let (binary, normal) = (matrix(adjacency.binary()), matrix(adjacency.symmetric()));
    let w = variable(&[D, D], 0.1, 1, DType::F32, device)?;
    let b = variable(&[D], 0.1, 2, DType::F32, device)?;
    let p = variable(&[clips, FRAMES, D], 1.0, 3, DType::F32, device)?;
    let layer = variables(&vec![GinLayer::shapes(D, D, None)], device)?;
    let decoder = variables(&vec![GinLayer::shapes(D, D, Some(D))], device)?;
    let end = variables(&Activation::shapes(D), device)?;
    let halves = variables(&SpatialWeights::shapes(D), device)?;
    let branches = Branches {
        kernel: 5,
        dilations: vec![1, 2],
        stride: 1,
    };
    let over_time = variables(&TemporalWeights::shapes(&branches, D), device)?;
    let rows: Vec<u32> = (0..(clips * FRAMES * JOINTS) as u32).collect();
    let hidden: Vec<u32> = rows.into_iter().filter(|row| row % 17 > 12).collect();
    let targets = hidden.len();
    let y = variable(&[targets, D], 1.0, 4, DType::F32, device)?;
    let target = variable(&[targets, D], 1.0, 5, DType::F32, device)?;
    let target = target.as_detached_tensor();
    let readout = Readout::Rows(Arc::new(hidden.clone()));
    let (joints, batch) = (&Readout::Joints, Stats::Batch);
    let all: Vec<Piece<'_>> = vec![
        ("linear", Box::new(|| kernels::linear(&x, &w, Some(&b)))),
        ("mix_joints", Box::new(|| kernels::mix_joints(&x, &normal))),
        (
            "norm_prelu",
            Box::new(|| Ok(kernels::norm_prelu(&x, &end, None, batch)?.0)),
        ),
        (
            "gin, one layer",
            Box::new(|| Ok(kernels::gin(&x, &layer, &binary, joints, batch)?.0)),
        ),
        (
            "gin, decoder",
            Box::new(|| Ok(kernels::gin(&x, &decoder, &binary, &readout, batch)?.0)),
        ),
        (
            "reweighted_cosine_error",
            Box::new(|| kernels::reweighted_cosine_error(&y, &target, 2.0, targets as f64)),
        ),
        ("take_rows", Box::new(|| kernels::take_rows(&x, &hidden))),
        (
            "spatial",
            Box::new(|| Ok(kernels::spatial(&x, &p, &halves, &normal, batch)?.0)),
        ),
        (
            "temporal",
            Box::new(|| Ok(kernels::temporal(&x, &over_time, &branches, batch)?.0)),
        ),
    ];
    for (name, run) in &all {
        report.guarded(name, |report| op(name, clips, device, run.as_ref(), report));
    }
    Ok(())
}

fn op(
    name: &str,
    clips: usize,
    device: &Device,
    run: &dyn Fn() -> Result<Tensor>,
    report: &mut Report,
) -> Outcome<()> {
    let forward = time(device, &|| run().map(drop))?;
    let dims = run()?.dims().to_vec();
    // The gradient comes in as a tensor of the result's size, by a product.
    let weight: Var = variable(&dims, 1.0, 6, DType::F32, device)?;
    let weight = weight.as_detached_tensor().flatten_all()?.unsqueeze(1)?;
    let both = time(device, &|| {
        let y = run()?.flatten_all()?.unsqueeze(0)?;
        y.matmul(&weight)?.backward().map(drop)
    })?;
    let cells = [
        name.to_owned(),
        format!("{:.2}", forward * 1e3),
        format!("{:.2}", both * 1e3),
    ];
    let value = json!({"op": name, "clips": clips, "forward": forward, "both": both});
    report.row("op_times", &cells, value);
    Ok(())
}
