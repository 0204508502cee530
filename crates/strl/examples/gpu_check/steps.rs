//! Whole steps of training and inference: on the device in `f32` against the CPU in `f64`, with the same parameters; and
//! the device against itself.

use candle_core::{DType, Device, Tensor};
use serde_json::json;
use skeleton_graph::Layout;
use skeletonmae::mask::At;
use skeletonmae::train::{Gradients, Optimizer, OptimizerConfig};
use skeletonmae::{
    Backbone, Contrastive, GraphCl, LossConfig, MaeConfig, Mask, Mode, SkeletonMae, Store,
    TrackBatch,
};
use strl::cost::{Reads, modules};
use strl::{Strl, StrlConfig, Task, Tuning, cross_entropy};

use crate::numbers::{Found, joined, numbers, off, variable, worst};
use crate::report::{Outcome, Report, short};

const COORDINATES: usize = 2;
const CLASSES: usize = 60;
const FRAMES: usize = 64;
/// The parts that the paper hides.
const HIDDEN: [usize; 2] = [3, 5];
const CLIPS: usize = 4;
/// Relative differences that are let pass whatever the CPU's in `f32` are: of losses, scores and statistics, of all
/// gradients as one vector.
const TOLERANCES: [f64; 2] = [1e-3, 1e-2];
const FACTOR: f64 = 20.0;

/// What a step is of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Work {
    Pretrain(Backbone),
    Contrast,
    Finetune(Backbone, Tuning),
}

impl Work {
    fn all() -> Vec<Self> {
        use Backbone::{Gat, Gcn, Gin};
        let mut all: Vec<Self> = [Gin, Gcn, Gat].map(Self::Pretrain).to_vec();
        all.push(Self::Contrast);
        all.extend([Gin, Gcn, Gat].map(|backbone| Self::Finetune(backbone, Tuning::Tuned)));
        all.push(Self::Finetune(Gin, Tuning::Frozen));
        all
    }

    pub fn name(self) -> String {
        match self {
            Self::Pretrain(backbone) => format!("pre-training, {}", backbone.name()),
            Self::Contrast => "contrastive pre-training, gin".into(),
            Self::Finetune(backbone, Tuning::Tuned) => format!("fine-tuning, {}", backbone.name()),
            Self::Finetune(backbone, Tuning::Frozen) => {
                format!("fine-tuning, frozen {}", backbone.name())
            }
        }
    }
}

/// A model with a batch.
enum Model {
    Mae(SkeletonMae, Mask),
    Contrast(GraphCl),
    Classifier(Strl, Tuning),
}

/// A model, its parameters and a batch on a device.
pub struct Step {
    model: Model,
    batch: TrackBatch,
    pub store: Store,
    pub optimizer: Optimizer,
}

impl Step {
    /// Parameters of type `dtype`, features of type `features`.
    pub fn new(
        work: Work,
        clips: usize,
        [dtype, features]: [DType; 2],
        device: &Device,
    ) -> Outcome<Self> {
        let layout = Layout::built_in("coco17")?;
        let store = Store::new(0, dtype, device);
        let config = |backbone| MaeConfig {
            backbone,
            ..MaeConfig::default()
        };
        let persons = if matches!(work, Work::Finetune(..)) {
            2
        } else {
            1
        };
        let batch = batch(&layout, clips, persons, dtype, device)?;
        let (model, parameters) = match work {
            Work::Pretrain(backbone) => {
                let config = config(backbone);
                let model = SkeletonMae::new(&config, &layout, COORDINATES, store.builder())?;
                let parts = HIDDEN.map(|part| &layout.parts()[part].joints);
                let hidden = |joint| parts.iter().any(|joints| joints.contains(&joint));
                let hidden: Vec<bool> = (0..layout.len()).map(hidden).collect();
                let mask = Mask::of_tracks(&batch, &vec![hidden; clips * persons]);
                let model = model.with_features(features);
                (Model::Mae(model, mask), store.parameters())
            }
            Work::Contrast => {
                let config = config(Backbone::Gin);
                let model = GraphCl::new(&config, &layout, COORDINATES, store.builder())?;
                let model = model.with_features(features);
                (Model::Contrast(model), store.parameters())
            }
            Work::Finetune(backbone, tuning) => {
                let task = Task {
                    layout: &layout,
                    coordinates: COORDINATES,
                    frames: FRAMES,
                    classes: CLASSES,
                };
                let own = StrlConfig::default();
                let model = Strl::new(&config(backbone), &own, task, store.builder())?;
                let parameters = tuning.trained(store.parameters());
                let model = model.with_features(features);
                (Model::Classifier(model, tuning), parameters)
            }
        };
        let adam = OptimizerConfig::Adam {
            lr: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            weight_decay: 0.0,
        };
        Ok(Self {
            model,
            batch,
            optimizer: Optimizer::new(adam, parameters)?,
            store,
        })
    }

    /// Multiply-adds of the forward pass of one clip.
    pub fn cost(&self) -> Outcome<usize> {
        let layout = Layout::built_in("coco17")?;
        let reads = Reads::of(&layout, FRAMES);
        let tensors = self.store.tensors();
        let shapes = tensors.iter().map(|(name, t)| (name.as_str(), t.dims()));
        let one: usize = modules(shapes, reads).iter().map(|m| m.multiply_adds).sum();
        Ok(one * self.batch.track_clip.len() / self.batch.clips())
    }

    /// The loss, with the results that it comes from.
    pub fn loss(&self, mode: Mode) -> Outcome<(Tensor, Option<Tensor>)> {
        let at = At {
            seed: 0,
            epoch: 0,
            index: 0,
        };
        let batch = &self.batch;
        let clips = batch.clips() as f64;
        match &self.model {
            Model::Mae(model, mask) => {
                let (loss, targets) = (LossConfig::default(), mask.count() as f64);
                let loss = model.loss(batch, mask, loss, targets, mode)?;
                Ok((loss, None))
            }
            Model::Contrast(model) => {
                let config = Contrastive::default();
                let views = config.views(model.adjacency(), batch, at);
                let loss = model.loss(batch, &views, config.temperature, clips, mode)?;
                Ok((loss, None))
            }
            Model::Classifier(model, tuning) => {
                let scores = match mode {
                    Mode::Train => {
                        model.forward_train(batch, &model.dropout(batch, at)?, *tuning)?
                    }
                    Mode::Eval => model.forward(batch)?,
                };
                let loss = cross_entropy(&scores, &batch.labels, 0.1, clips)?;
                Ok((loss, Some(scores)))
            }
        }
    }

    /// Gradients of a loss, accumulated as training does.
    pub fn gradients(&self, loss: &Tensor) -> Outcome<Gradients> {
        let mut gradients = Gradients::none(self.optimizer.parameters().len());
        gradients.add(loss, self.optimizer.parameters())?;
        Ok(gradients)
    }

    /// Loss, scores, statistics and inference after a step's forward pass; and its gradients.
    fn found(&self) -> Outcome<[Found; 2]> {
        let (loss, scores) = self.loss(Mode::Train)?;
        let gradients = self.gradients(&loss)?;
        let mut results = vec![("loss".to_owned(), numbers(&loss)?)];
        if let Some(scores) = scores {
            results.push(("scores".into(), numbers(&scores)?));
        }
        for (name, tensor) in self.store.tensors() {
            if name.contains(".running_") {
                results.push((name, numbers(&tensor)?));
            }
        }
        let (loss, scores) = self.loss(Mode::Eval)?;
        results.push(("held-out loss".into(), numbers(&loss)?));
        if let Some(scores) = scores {
            results.push(("scores in inference".into(), numbers(&scores)?));
        }
        let mut all = Found::new();
        let parameters = self.optimizer.parameters().iter();
        for ((name, _), gradient) in parameters.zip(gradients.as_slice()) {
            if let Some(gradient) = gradient {
                all.push((name.clone(), numbers(gradient)?));
            }
        }
        Ok([results, all])
    }

    /// The losses of so many updates.
    fn curve(&mut self, updates: usize) -> Outcome<Vec<f64>> {
        let mut losses = Vec::new();
        for _ in 0..updates {
            let (loss, _) = self.loss(Mode::Train)?;
            let gradients = self.gradients(&loss)?;
            let lr = self.optimizer.config().lr();
            self.optimizer.step(gradients.as_slice(), lr)?;
            losses.extend(numbers(&loss)?);
        }
        Ok(losses)
    }
}

/// Coordinates that look random between -1 and 1, all joints seen, labels of all classes.
fn batch(
    layout: &Layout,
    clips: usize,
    persons: usize,
    dtype: DType,
    device: &Device,
) -> Outcome<TrackBatch> {
    let (n, v) = (clips * persons, layout.len());
    let keypoints = variable(&[n, FRAMES, v, COORDINATES], 1.0, 7, dtype, device)?;
    Ok(TrackBatch::new(
        keypoints.as_detached_tensor(),
        vec![true; n * FRAMES * v],
        (0..n).map(|track| (track / persons) as u32).collect(),
        (0..clips).map(|clip| clip.to_string()).collect(),
        (0..clips).map(|clip| (clip * 7 % CLASSES) as i64).collect(),
    )?)
}

pub fn check(device: &Device, report: &mut Report) {
    report.table(
        "Steps: relative difference from the CPU in f64",
        &[
            "step",
            "results, CPU f32",
            "results",
            "gradients, CPU f32",
            "gradients",
            "worst parameter",
            "",
        ],
    );
    for work in Work::all() {
        report.guarded(&work.name(), |report| compare(work, device, report));
    }
    report.table(
        "Features of 16 bits (bf16), and TF32 on CUDA: relative difference from the CPU in f64",
        &["step", "precision", "loss", "cosine of all gradients", ""],
    );
    for work in Work::all() {
        for precision in precisions(device).into_iter().skip(1) {
            let name = format!("{} in {}", work.name(), precision.name());
            report.guarded(&name, |report| {
                compare_low(&name, work, precision, device, report)
            });
        }
    }
    report.table(
        "Ten updates by Adam: losses",
        &[
            "step",
            "CPU f64",
            "device",
            "relative difference",
            "CPU f32's",
            "",
        ],
    );
    let backbone = Backbone::Gin;
    for work in [
        Work::Pretrain(backbone),
        Work::Finetune(backbone, Tuning::Tuned),
    ] {
        let name = format!("ten updates, {}", work.name());
        report.guarded(&name, |report| curves(&name, work, device, report));
    }
}

fn compare(work: Work, device: &Device, report: &mut Report) -> Outcome<()> {
    let run = |dtypes, device: &Device| Step::new(work, CLIPS, dtypes, device)?.found();
    let truth = run([DType::F64; 2], &Device::Cpu)?;
    let cpu = run([DType::F32; 2], &Device::Cpu)?;
    let found = run([DType::F32; 2], device)?;
    let all = |of: &[Found; 2]| off(&joined(&of[1]), &joined(&truth[1]));
    let of_cpu = [worst(&cpu[0], &truth[0]).0, all(&cpu)];
    let (results, which) = worst(&found[0], &truth[0]);
    let (parameter, its_name) = worst(&found[1], &truth[1]);
    let off = [results, all(&found)];
    let limits = [0, 1].map(|part| TOLERANCES[part].max(FACTOR * of_cpu[part]));
    let passed = (0..2).all(|part| off[part] <= limits[part]);
    let verdict = report.verdict(&work.name(), passed);
    let cells = [
        work.name(),
        short(of_cpu[0]),
        format!("{} {which}", short(off[0])),
        short(of_cpu[1]),
        short(off[1]),
        format!("{} {its_name}", short(parameter)),
        verdict,
    ];
    let value = json!({
        "step": work.name(), "clips": CLIPS, "cpu": of_cpu, "device": off, "limits": limits,
        "worst_result": which, "worst_parameter": [its_name, parameter], "passed": passed,
    });
    report.row("steps", &cells, value);
    Ok(())
}

/// How features are computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Precision {
    F32,
    Tf32,
    Bf16,
}

impl Precision {
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
        }
    }

    pub fn features(self) -> DType {
        match self {
            Self::F32 | Self::Tf32 => DType::F32,
            Self::Bf16 => DType::BF16,
        }
    }

    /// Does something with products as this precision has them.
    pub fn with<T>(self, work: impl FnOnce() -> T) -> T {
        candle_core::cuda::set_gemm_reduced_precision_f32(self == Self::Tf32);
        let done = work();
        candle_core::cuda::set_gemm_reduced_precision_f32(false);
        done
    }
}

/// Those of a device, f32 first.
pub fn precisions(device: &Device) -> Vec<Precision> {
    match device.is_cuda() {
        true => vec![Precision::F32, Precision::Tf32, Precision::Bf16],
        false => vec![Precision::F32, Precision::Bf16],
    }
}

/// Loss and gradients in a lower precision: near those in `f64`, and not those in `f32`.
fn compare_low(
    name: &str,
    work: Work,
    precision: Precision,
    device: &Device,
    report: &mut Report,
) -> Outcome<()> {
    let run = |dtypes, device: &Device| Step::new(work, CLIPS, dtypes, device)?.found();
    let truth = run([DType::F64; 2], &Device::Cpu)?;
    let low = precision.with(|| run([DType::F32, precision.features()], device))?;
    let loss = off(&low[0][0].1, &truth[0][0].1);
    let (a, b) = (joined(&low[1]), joined(&truth[1]));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let cosine = dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt();
    let passed = loss < 0.05 && cosine > 0.8;
    let verdict = report.verdict(name, passed);
    let cells = [
        work.name(),
        precision.name().into(),
        short(loss),
        format!("{cosine:.4}"),
        verdict,
    ];
    let value = json!({
        "step": work.name(), "precision": precision.name(), "loss": loss, "cosine": cosine, "passed": passed,
    });
    report.row("precisions", &cells, value);
    Ok(())
}

fn curves(name: &str, work: Work, device: &Device, report: &mut Report) -> Outcome<()> {
    let run = |dtype, device: &Device| Step::new(work, CLIPS, [dtype; 2], device)?.curve(10);
    let truth = run(DType::F64, &Device::Cpu)?;
    let (cpu, found) = (run(DType::F32, &Device::Cpu)?, run(DType::F32, device)?);
    let (of_cpu, of_device) = (off(&cpu, &truth), off(&found, &truth));
    let passed = of_device <= 1e-2_f64.max(FACTOR * of_cpu);
    let verdict = report.verdict(name, passed);
    let ends = |losses: &[f64]| match losses {
        [first, .., last] => format!("{first:.6} to {last:.6}"),
        _ => String::new(),
    };
    let cells = [
        work.name(),
        ends(&truth),
        ends(&found),
        short(of_device),
        short(of_cpu),
        verdict,
    ];
    let value = json!({"step": work.name(), "f64": truth, "device": found, "passed": passed});
    report.row("curves", &cells, value);
    Ok(())
}

/// Whether the device gives the same bits twice: of ten updates the losses, and then all tensors.
pub fn repeat(device: &Device, report: &mut Report) {
    report.table(
        "The same bits twice",
        &["step", "gradients", "after three updates", ""],
    );
    for work in Work::all() {
        let name = format!("run to run, {}", work.name());
        report.guarded(&name, |report| twice(&name, work, device, report));
    }
}

fn twice(name: &str, work: Work, device: &Device, report: &mut Report) -> Outcome<()> {
    let run = || -> Outcome<[Found; 2]> {
        let mut step = Step::new(work, CLIPS, [DType::F32; 2], device)?;
        let [_, gradients] = step.found()?;
        step.curve(3)?;
        let tensors = step.store.tensors().into_iter();
        let after = tensors.map(|(name, tensor)| Ok((name, numbers(&tensor)?)));
        Ok([gradients, after.collect::<candle_core::Result<_>>()?])
    };
    let (a, b) = (run()?, run()?);
    let differ = [0, 1].map(|part| {
        let pairs = a[part].iter().zip(&b[part]);
        let bits = |values: &[f64]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let differ = pairs.filter(|((_, a), (_, b))| bits(a) != bits(b));
        differ
            .map(|((name, _), _)| name.clone())
            .collect::<Vec<_>>()
    });
    let says = |names: &[String]| match names {
        [] => "equal".to_owned(),
        [first, ..] => format!("{} tensors differ, {first} first", names.len()),
    };
    let passed = differ.iter().all(Vec::is_empty);
    let verdict = report.verdict(name, passed);
    let cells = [work.name(), says(&differ[0]), says(&differ[1]), verdict];
    let value = json!({"step": work.name(), "differ": differ, "passed": passed});
    report.row("repeat", &cells, value);
    Ok(())
}
