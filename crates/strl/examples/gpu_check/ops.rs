//! Every op by its definition and by its public function, in `f32` on the device, against the definition in `f64` on the
//! CPU: result, gradients, statistics. The definition in `f32` on the CPU says how far rounding alone goes.

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor, Var};
use serde_json::json;
use skeleton_graph::{Adjacency, Layout};
use skeleton_kernels::params::Named;
use skeleton_kernels::{
    self as kernels, Activation, Attention, BatchStats, Branches, Embedding, GinLayer, JointMatrix,
    Readout, SpatialWeights, Stats, TemporalWeights,
};

use crate::numbers::{Found, numbers, variable, worst};
use crate::report::{Outcome, Report, short};

/// (n, t, v, d).
const SHAPE: [usize; 4] = [3, 64, 17, 64];
/// Rows of it.
const ROWS: usize = 3 * 64 * 17;
const D: usize = 64;
/// Relative differences that are let pass whatever the CPU's are: of results and statistics, of gradients. A number whose
/// sign rounding turns in front of a ReLU changes a gradient by more than rounding does.
const TOLERANCES: [f64; 2] = [1e-4, 5e-3];
/// How much further off than the CPU a device may be.
const FACTOR: f64 = 20.0;

/// Which form of an op is run.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Definition,
    Public,
}

type Run = Box<dyn Fn(&[Tensor], Stats<'_>, Form) -> Result<(Tensor, Vec<BatchStats>)>>;

/// An op and what it is given.
struct Case {
    name: String,
    /// Shape and size of its variables: data, then parameters.
    inputs: Vec<(Vec<usize>, f64)>,
    /// Widths of its norms where they go by given statistics; none where by the batch's.
    norms: Vec<usize>,
    run: Run,
}

pub fn check(device: &Device, report: &mut Report) {
    report.table(
        "Ops: relative difference from the definition in f64 on the CPU",
        &[
            "op",
            "form",
            "results, CPU f32",
            "results",
            "gradients, CPU f32",
            "gradients",
            "",
        ],
    );
    for case in cases() {
        report.guarded(&case.name, |report| case.check(device, report));
    }
}

impl Case {
    fn new(name: &str, inputs: Vec<(Vec<usize>, f64)>, run: Run) -> Self {
        Self {
            name: name.to_owned(),
            inputs,
            norms: Vec::new(),
            run,
        }
    }

    fn check(&self, device: &Device, report: &mut Report) -> Outcome<()> {
        let truth = self.compute(DType::F64, &Device::Cpu, Form::Definition)?;
        let cpu = self.compute(DType::F32, &Device::Cpu, Form::Definition)?;
        let of_cpu = [0, 1].map(|part| worst(&cpu[part], &truth[part]).0);
        for (form, shown) in [(Form::Definition, "definition"), (Form::Public, "public")] {
            let name = format!("{} ({shown})", self.name);
            report.guarded(&name, |report| {
                let found = self.compute(DType::F32, device, form)?;
                let off = [0, 1].map(|part| worst(&found[part], &truth[part]));
                let limits = [0, 1].map(|part| TOLERANCES[part].max(FACTOR * of_cpu[part]));
                let passed = (0..2).all(|part| off[part].0 <= limits[part]);
                let verdict = report.verdict(&name, passed);
                let shown_off = |part: usize| format!("{} {}", short(off[part].0), off[part].1);
                let cells = [
                    self.name.clone(),
                    shown.to_owned(),
                    short(of_cpu[0]),
                    shown_off(0),
                    short(of_cpu[1]),
                    shown_off(1),
                    verdict,
                ];
                let value = json!({
                    "op": self.name, "form": shown, "cpu": of_cpu, "device": [off[0].0, off[1].0],
                    "worst": [off[0].1, off[1].1], "limits": limits, "passed": passed,
                });
                report.row("ops", &cells, value);
                Ok(())
            });
        }
        Ok(())
    }

    /// The result with the statistics, and the gradients, under a random weighting of the result's elements.
    fn compute(&self, dtype: DType, device: &Device, form: Form) -> Result<[Found; 2]> {
        let inputs = self.inputs.iter().zip(0..);
        let variables: Vec<Var> = inputs
            .map(|((dims, size), index)| variable(dims, *size, index, dtype, device))
            .collect::<Result<_>>()?;
        let tensors: Vec<Tensor> = variables.iter().map(|v| v.as_tensor().clone()).collect();
        let given = statistics(&self.norms, dtype, device)?;
        let stats = match given.is_empty() {
            true => Stats::Batch,
            false => Stats::Running(&given),
        };
        let (y, gathered) = (self.run)(&tensors, stats, form)?;
        let weight = variable(y.dims(), 1.0, 99, dtype, device)?;
        let gradients = (&y * weight.as_tensor())?.sum_all()?.backward()?;
        let mut results = vec![("y".to_owned(), numbers(&y)?)];
        for (i, own) in gathered.iter().enumerate() {
            results.push((format!("mean {i}"), numbers(&own.mean)?));
            results.push((format!("variance {i}"), numbers(&own.variance)?));
        }
        let mut all = Found::new();
        for (i, v) in variables.iter().enumerate() {
            if let Some(gradient) = gradients.get(v) {
                all.push((format!("of {i}"), numbers(gradient)?));
            }
        }
        Ok([results, all])
    }
}

/// Statistics that no batch has.
fn statistics(norms: &[usize], dtype: DType, device: &Device) -> Result<Vec<BatchStats>> {
    let vector = |d: usize, of: &dyn Fn(f64) -> f64| {
        let values: Vec<f64> = (0..d).map(|i| of(i as f64)).collect();
        Tensor::from_vec(values, d, &Device::Cpu)?
            .to_dtype(dtype)?
            .to_device(device)
    };
    let each = norms.iter().map(|&d| {
        Ok(BatchStats {
            rows: 0,
            mean: vector(d, &|i| 0.01 * i - 0.25)?,
            variance: vector(d, &|i| 0.75 + 0.125 * i)?,
        })
    });
    each.collect()
}

/// The parameters of these shapes, in order.
fn build<S: Named<Vec<usize>>>(shapes: &S, tensors: &[Tensor]) -> S::Of<Tensor> {
    let mut rest = tensors.iter();
    shapes.map(&mut |_: &Vec<usize>| rest.next().expect("a tensor a shape").clone())
}

/// Data of this shape, then parameters.
fn inputs<S: Named<Vec<usize>>>(data: &[&[usize]], shapes: &S) -> Vec<(Vec<usize>, f64)> {
    let mut all: Vec<_> = data.iter().map(|dims| (dims.to_vec(), 1.0)).collect();
    shapes.map(&mut |dims: &Vec<usize>| all.push((dims.clone(), 0.5)));
    all
}

fn coco17() -> Adjacency {
    let layout = Layout::built_in("coco17").expect("it is built in");
    layout.adjacency()
}

fn matrix(dense: &[f64]) -> Arc<JointMatrix> {
    Arc::new(JointMatrix::new(dense, SHAPE[2]))
}

fn cases() -> Vec<Case> {
    let mut all = plain();
    all.extend(losses());
    for by_batch in [true, false] {
        all.extend(normed(by_batch));
        all.extend(gin(by_batch));
    }
    all
}

fn alone(y: Result<Tensor>) -> Result<(Tensor, Vec<BatchStats>)> {
    Ok((y?, Vec::new()))
}

fn mixing(name: &str, dims: &[usize]) -> Case {
    let matrix = matrix(&coco17().row_normalised());
    Case::new(
        name,
        vec![(dims.to_vec(), 1.0)],
        Box::new(move |a, _, form| {
            alone(match form {
                Form::Definition => kernels::joints::reference(&a[0], &matrix),
                Form::Public => kernels::mix_joints(&a[0], &matrix),
            })
        }),
    )
}

fn plain() -> Vec<Case> {
    let x = || (SHAPE.to_vec(), 1.0);
    let rows: Vec<u32> = (0..ROWS as u32).filter(|row| row % 7 == 3).collect();
    let embedding = Embedding::shapes(2, D, SHAPE[1]);
    let coordinates: &[usize] = &[SHAPE[0], SHAPE[1], SHAPE[2], 2];
    let mut all = vec![
        Case::new(
            "linear",
            vec![x(), (vec![D, D], 0.1), (vec![D], 0.1)],
            Box::new(|a, _, form| {
                alone(match form {
                    Form::Definition => kernels::linear::reference(&a[0], &a[1], Some(&a[2])),
                    Form::Public => kernels::linear(&a[0], &a[1], Some(&a[2])),
                })
            }),
        ),
        mixing("mix_joints", &SHAPE),
        // More products at once than a dimension of a CUDA grid has blocks.
        mixing("mix_joints, 65,600 frames", &[1025, 64, SHAPE[2], 4]),
        Case::new(
            "take_rows",
            vec![x()],
            Box::new(move |a, _, _| alone(kernels::take_rows(&a[0], &rows))),
        ),
        Case::new(
            "track_mean",
            vec![x()],
            Box::new(|a, _, form| {
                alone(match form {
                    Form::Definition => kernels::track_mean::reference(&a[0]),
                    Form::Public => kernels::track_mean(&a[0]),
                })
            }),
        ),
        Case::new(
            "embed",
            inputs(&[coordinates], &embedding),
            Box::new(move |a, _, form| {
                let own = build(&embedding, &a[1..]);
                alone(match form {
                    Form::Definition => kernels::embed::reference(&a[0], &own),
                    Form::Public => kernels::embed(&a[0], &own),
                })
            }),
        ),
    ];
    all.extend([1, 4].map(|heads| {
        let graph = Arc::new(Attention::new(&coco17(), heads));
        Case::new(
            &format!("attend, {heads} heads"),
            vec![x(), (vec![2, D], 0.3)],
            Box::new(move |a, _, form| {
                alone(match form {
                    Form::Definition => kernels::attention::reference(&a[0], &a[1], &graph),
                    Form::Public => kernels::attend(&a[0], &a[1], &graph),
                })
            }),
        )
    }));
    all
}

fn losses() -> Vec<Case> {
    let pair = || vec![(vec![ROWS, D], 1.0); 2];
    let total = ROWS as f64;
    let mut all: Vec<Case> = [1.0, 2.0]
        .into_iter()
        .map(|beta| {
            Case::new(
                &format!("reweighted_cosine_error, beta {beta}"),
                pair(),
                Box::new(move |a, _, form| {
                    alone(match form {
                        Form::Definition => kernels::rce::reference(&a[0], &a[1], beta, total),
                        Form::Public => kernels::reweighted_cosine_error(&a[0], &a[1], beta, total),
                    })
                }),
            )
        })
        .collect();
    all.push(Case::new(
        "mean_squared_error",
        pair(),
        Box::new(move |a, _, _| alone(kernels::mean_squared_error(&a[0], &a[1], total))),
    ));
    all
}

/// Norms by the batch's statistics or by given ones.
fn by(by_batch: bool, norms: Vec<usize>, mut case: Case) -> Case {
    let statistics = if by_batch { "batch" } else { "running" };
    case.name = format!("{}, {statistics} statistics", case.name);
    case.norms = if by_batch { Vec::new() } else { norms };
    case
}

fn normed(by_batch: bool) -> Vec<Case> {
    let mut all = Vec::new();
    for pooled in [None, Some(0.3)] {
        let shapes = Activation::shapes(D);
        let case = Case::new(
            &format!("norm_prelu, pooled {pooled:?}"),
            inputs(&[&SHAPE], &shapes),
            Box::new(move |a, stats, form| {
                let own = build(&shapes, &a[1..]);
                match form {
                    Form::Definition => kernels::norm_prelu::reference(&a[0], &own, pooled, stats),
                    Form::Public => kernels::norm_prelu(&a[0], &own, pooled, stats),
                }
            }),
        );
        all.push(by(by_batch, vec![D], case));
    }
    let (shapes, a_norm) = (SpatialWeights::shapes(D), matrix(&coco17().symmetric()));
    let case = Case::new(
        "spatial",
        inputs(&[&SHAPE, &[SHAPE[0], SHAPE[1], D]], &shapes),
        Box::new(move |a, stats, form| {
            let own = build(&shapes, &a[2..]);
            match form {
                Form::Definition => kernels::spatial::reference(&a[0], &a[1], &own, &a_norm, stats),
                Form::Public => kernels::spatial(&a[0], &a[1], &own, &a_norm, stats),
            }
        }),
    );
    all.push(by(by_batch, vec![D; 2], case));
    for stride in [1, 2] {
        let branches = Branches {
            kernel: 5,
            dilations: vec![1, 2],
            stride,
        };
        let shapes = TemporalWeights::shapes(&branches, D);
        let norms = [branches.reduced(D), D].into_iter();
        let norms = norms.chain((stride > 1).then_some(D)).collect();
        let case = Case::new(
            &format!("temporal, stride {stride}"),
            inputs(&[&SHAPE], &shapes),
            Box::new(move |a, stats, form| {
                let own = build(&shapes, &a[1..]);
                match form {
                    Form::Definition => kernels::temporal::reference(&a[0], &own, &branches, stats),
                    Form::Public => kernels::temporal(&a[0], &own, &branches, stats),
                }
            }),
        );
        all.push(by(by_batch, norms, case));
    }
    all
}

/// Encoders that give joints or their sum, and a decoder that gives rows.
fn gin(by_batch: bool) -> Vec<Case> {
    let rows = (0..ROWS as u32).filter(|row| row % 17 > 12).collect();
    let inner = || GinLayer::shapes(D, D, None);
    let stacks = [
        ("one layer", vec![inner()], Readout::Joints),
        (
            "three layers, 4 coordinates",
            vec![GinLayer::shapes(4, D, None), inner(), inner()],
            Readout::Joints,
        ),
        (
            "two layers, summed",
            vec![inner(), inner()],
            Readout::Pooled(0.3),
        ),
        (
            "decoder",
            vec![GinLayer::shapes(D, D, Some(D))],
            Readout::Rows(Arc::new(rows)),
        ),
    ];
    let cases = stacks.map(|(name, shapes, readout)| {
        let [n, t, v, _] = SHAPE;
        let x = [n, t, v, shapes[0].first.weight[1]];
        let of_layer = if matches!(readout, Readout::Rows(_)) {
            1
        } else {
            2
        };
        let norms = vec![D; of_layer * shapes.len()];
        let graph = matrix(&coco17().binary());
        let case = Case::new(
            &format!("gin, {name}"),
            inputs(&[&x], &shapes),
            Box::new(move |a, stats, form| {
                let layers = build(&shapes, &a[1..]);
                match form {
                    Form::Definition => {
                        kernels::gin::reference(&a[0], &layers, &graph, &readout, stats)
                    }
                    Form::Public => kernels::gin(&a[0], &layers, &graph, &readout, stats),
                }
            }),
        );
        by(by_batch, norms, case)
    });
    cases.into_iter().collect()
}
