//! Fine-tuning and scoring: paper sections 3.3 and 4.

use candle_core::{DType, Tensor};
use candle_nn::ops::{log_softmax, softmax_last_dim};
use serde::{Deserialize, Serialize};
use skeletonmae::train::{
    BoxError, EpochReport, Guard, Observer, Optimizer, OptimizerConfig, Pass, Schedule, positive,
    run_epoch,
};
use skeletonmae::{Error, Result, TrackBatch};

use crate::metrics::Scores;
use crate::model::{Phase, Strl, StrlConfig};
use crate::tuning::Tuning;

/// How a classifier is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinetuneConfig {
    /// Passes over the training split.
    pub epochs: usize,
    /// Clips an update.
    pub batch: usize,
    /// Clips computed at once; their gradients add up to the update. `BatchNorm` sees these.
    pub micro_batch: usize,
    /// The update rule.
    pub optimizer: OptimizerConfig,
    /// Learning rates by epoch.
    pub schedule: Schedule,
    /// Share of the target that is spread over all classes.
    pub label_smoothing: f64,
    /// Whether the pre-trained part learns too.
    pub encoder: Tuning,
    /// Limits of a step.
    #[serde(default)]
    pub guard: Guard,
}

impl FinetuneConfig {
    /// Refuses what can't be run.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self) -> Result<()> {
        positive("finetune.batch", self.batch)?;
        positive("finetune.micro_batch", self.micro_batch)?;
        share("finetune.label_smoothing", self.label_smoothing)?;
        self.guard.validate()?;
        self.optimizer.validate()
    }
}

impl StrlConfig {
    /// Refuses what can't be built at this width.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self, width: usize) -> Result<()> {
        let refuse = |key, expected: &str, found: String| {
            Err(Error::Setting {
                key,
                expected: expected.to_owned(),
                found,
            })
        };
        positive("model.strl.layers", self.layers)?;
        share("model.strl.dropout", self.dropout)?;
        if self.kernel.is_multiple_of(2) {
            return refuse(
                "model.strl.kernel",
                "an odd number",
                self.kernel.to_string(),
            );
        }
        if self.dilations.contains(&0) {
            return refuse(
                "model.strl.dilations",
                "numbers above 0",
                format!("{:?}", self.dilations),
            );
        }
        if self.head.contains(&0) {
            return refuse(
                "model.strl.head",
                "numbers above 0",
                format!("{:?}", self.head),
            );
        }
        if !width.is_multiple_of(self.dilations.len() + 2) {
            let expected = "a multiple of the temporal branches (dilations and two more)";
            return refuse("model.width", expected, width.to_string());
        }
        Ok(())
    }
}

fn share(key: &'static str, value: f64) -> Result<()> {
    let (expected, found) = ("a number from 0, below 1".to_owned(), value.to_string());
    if (0.0..1.0).contains(&value) {
        Ok(())
    } else {
        Err(Error::Setting {
            key,
            expected,
            found,
        })
    }
}

/// Cross-entropy with label smoothing, summed over the clips and divided by `denominator`: the
/// number of clips, unless the batch is one of several micro-batches. `logits` are (b, k).
///
/// # Errors
/// When a label isn't below k.
pub fn cross_entropy(
    logits: &Tensor,
    labels: &[i64],
    smoothing: f64,
    denominator: f64,
) -> candle_core::Result<Tensor> {
    let (b, k) = logits.dims2()?;
    let mut target = vec![smoothing / k as f64; b * k];
    for (clip, &label) in labels.iter().enumerate() {
        match usize::try_from(label) {
            Ok(label) if label < k => target[clip * k + label] += 1.0 - smoothing,
            _ => candle_core::bail!("label {label} of clip {clip}: expected 0 to {}", k - 1),
        }
    }
    let target = Tensor::from_vec(target, (b, k), logits.device())?.to_dtype(logits.dtype())?;
    let log_p = log_softmax(logits, 1)?;
    (log_p * target)?.sum_all()? * (-1.0 / denominator)
}

/// One epoch of fine-tuning, or what `pass` leaves of it. `steps` yields the micro-batches of each update.
///
/// # Errors
/// Those of [`run_epoch`].
pub fn finetune_epoch(
    model: &Strl,
    config: &FinetuneConfig,
    optimizer: &mut Optimizer,
    pass: &Pass<'_>,
    steps: impl Iterator<Item = std::result::Result<Vec<TrackBatch>, BoxError>>,
    observer: &mut dyn Observer,
) -> Result<EpochReport> {
    let lr = optimizer.config().lr() * config.schedule.factor(pass.epoch, config.epochs);
    let phase = Phase::Train {
        seed: pass.seed,
        epoch: pass.epoch as u64,
        encoder: config.encoder,
    };
    run_epoch(
        pass,
        (lr, &config.guard),
        optimizer,
        steps,
        |_, batch| ((), batch.clips() as f64),
        |batch, (), total| {
            let logits = model.forward(batch, phase)?;
            cross_entropy(&logits, &batch.labels, config.label_smoothing, total)
        },
        observer,
    )
}

/// Class probabilities of every clip.
///
/// # Errors
/// When data can't be had or an operation fails.
pub fn score(
    model: &Strl,
    batches: impl Iterator<Item = std::result::Result<TrackBatch, BoxError>>,
) -> Result<Scores> {
    let mut scores = Scores::default();
    let model = model.frozen::<f32>()?;
    for batch in batches {
        let batch = batch.map_err(Error::Data)?;
        let p = softmax_last_dim(&model.forward(&batch)?)?;
        scores
            .probabilities
            .extend(p.to_dtype(DType::F64)?.to_vec2::<f64>()?);
        scores.ids.extend(batch.ids);
        scores.labels.extend(batch.labels);
    }
    Ok(scores)
}
