//! Fine-tuning and scoring: paper sections 3.3 and 4.

use candle_core::Tensor;
use candle_nn::ops::{log_softmax, softmax_last_dim};
use serde::{Deserialize, Serialize};
use skeleton_kernels::{constant, host};
use skeletonmae::error::positive;
use skeletonmae::mask::At;
use skeletonmae::train::{
    BoxError, Guard, Learner, OptimizerConfig, Schedule, TrainConfig, is_zero,
};
use skeletonmae::{Error, MaeConfig, Result, TrackBatch};

use crate::metrics::Scores;
use crate::model::{Dropout, Strl, StrlConfig, Tuning};

/// How a classifier is trained: a [`TrainConfig`] and what labels ask for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinetuneConfig {
    /// Passes over the training split.
    pub epochs: usize,
    /// Fewest updates: where epochs make fewer, there are [more of them](TrainConfig::with_updates).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub least_updates: usize,
    /// Clips an update.
    pub batch: usize,
    /// Clips computed at once.
    pub micro_batch: usize,
    /// The update rule.
    pub optimizer: OptimizerConfig,
    /// Learning rates by epoch.
    pub schedule: Schedule,
    /// Share of the target that is spread over all classes.
    pub label_smoothing: f64,
    /// Whether the pre-trained part learns too.
    pub encoder: Tuning,
    /// What the learning rate of everything pre-trained is multiplied by, where there was a pre-training.
    ///
    /// Differs from the paper: it fine-tunes end to end at one rate, a factor of 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub pretrained_rate: f64,
    /// Limits of a step.
    #[serde(default)]
    pub guard: Guard,
}

fn one() -> f64 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_one(factor: &f64) -> bool {
    *factor == 1.0
}

impl FinetuneConfig {
    /// What every training is told.
    pub fn training(&self) -> TrainConfig {
        TrainConfig {
            epochs: self.epochs,
            batch: self.batch,
            micro_batch: self.micro_batch,
            optimizer: self.optimizer,
            schedule: self.schedule.clone(),
            guard: self.guard.clone(),
        }
    }

    /// Refuses what can't be run.
    ///
    /// # Errors
    /// Names the field.
    pub fn validate(&self) -> Result<()> {
        self.training().validate()?;
        let rate = self.pretrained_rate;
        let ok = rate >= 0.0 && rate.is_finite();
        Error::refuse_unless(ok, "pretrained_rate", "a number not below 0", rate)?;
        share("label_smoothing", self.label_smoothing)
    }
}

impl StrlConfig {
    /// Refuses what can't be built.
    ///
    /// # Errors
    /// Names the field.
    pub fn validate(&self) -> Result<()> {
        let above_0 = |field, values: &[usize]| {
            let found = format!("{values:?}");
            Error::refuse_unless(!values.contains(&0), field, "numbers above 0", found)
        };
        positive("layers", self.layers)?;
        share("dropout", self.dropout)?;
        let odd = !self.kernel.is_multiple_of(2);
        Error::refuse_unless(odd, "kernel", "an odd number", self.kernel)?;
        above_0("dilations", &self.dilations)?;
        above_0("head", &self.head)
    }

    /// Refuses an encoder whose width the temporal branches can't share evenly.
    ///
    /// # Errors
    /// Names the encoder's field.
    pub fn validate_with(&self, mae: &MaeConfig) -> Result<()> {
        let expected = "a multiple of the temporal branches (dilations and two more)";
        let even = mae.width.is_multiple_of(self.dilations.len() + 2);
        Error::refuse_unless(even, "width", expected, mae.width)
    }
}

fn share(field: &str, value: f64) -> Result<()> {
    let ok = (0.0..1.0).contains(&value);
    Error::refuse_unless(ok, field, "a number from 0, below 1", value)
}

/// A classifier that learns from labels.
#[derive(Clone, Debug)]
pub struct Finetuning {
    /// The model.
    pub model: Strl,
    /// Share of the target that is spread over all classes.
    pub label_smoothing: f64,
    /// Whether the pre-trained part learns too.
    pub encoder: Tuning,
}

impl Finetuning {
    /// Of a model as `config` says.
    pub fn new(model: Strl, config: &FinetuneConfig) -> Self {
        Self {
            model,
            label_smoothing: config.label_smoothing,
            encoder: config.encoder,
        }
    }
}

/// The loss is the mean cross-entropy over clips.
impl Learner for Finetuning {
    type Draw = Dropout;

    fn draw(&self, batch: &TrackBatch, at: At) -> Result<(Dropout, f64)> {
        Ok((self.model.dropout(batch, at)?, batch.clips() as f64))
    }

    fn loss(
        &self,
        batch: &TrackBatch,
        dropout: &Dropout,
        total: f64,
    ) -> candle_core::Result<Tensor> {
        let logits = self.model.forward_train(batch, dropout, self.encoder)?;
        cross_entropy(&logits, &batch.labels, self.label_smoothing, total)
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
    let target = target(logits.dims2()?, labels, smoothing, logits)?;
    cross_entropy_to(logits, &target, denominator)
}

/// The same towards a [`target`] that was made before, (b, k).
pub(crate) fn cross_entropy_to(
    logits: &Tensor,
    target: &Tensor,
    denominator: f64,
) -> candle_core::Result<Tensor> {
    (log_softmax(logits, 1)? * target)?.sum_all()? * (-1.0 / denominator)
}

/// What logits (b, k) aim at: 1 at each clip's label, less the share that is spread over all classes; of the type and on the
/// device of `like`.
pub(crate) fn target(
    (b, k): (usize, usize),
    labels: &[i64],
    smoothing: f64,
    like: &Tensor,
) -> candle_core::Result<Tensor> {
    let mut target = vec![smoothing / k as f64; b * k];
    for (clip, &label) in labels.iter().enumerate() {
        match usize::try_from(label) {
            Ok(label) if label < k => target[clip * k + label] += 1.0 - smoothing,
            _ => candle_core::bail!("label {label} of clip {clip}: expected 0 to {}", k - 1),
        }
    }
    constant(target, (b, k), like)
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
    let model = model.frozen()?;
    for batch in batches {
        let batch = batch.map_err(Error::Data)?;
        let p = softmax_last_dim(&model.forward(&batch)?)?;
        let (numbers, k) = (host::read::<f64>(&p)?, p.dim(1)?);
        let rows = numbers.chunks_exact(k).map(<[f64]>::to_vec);
        scores.probabilities.extend(rows);
        scores.ids.extend(batch.ids);
        scores.labels.extend(batch.labels);
    }
    Ok(scores)
}
