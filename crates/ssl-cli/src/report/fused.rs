//! What `ssl fuse` says.

use serde::Serialize;

use super::{Evaluation, count, percent};

/// Several models' scores as one.
#[derive(Clone, Debug, Serialize)]
pub struct Fused {
    /// The models, with what each reaches alone.
    pub streams: Vec<FusedStream>,
    /// How the weights came about.
    pub weights: Chosen,
    /// The measurement of them together.
    #[serde(flatten)]
    pub evaluation: Evaluation,
}

/// One model's scores.
#[derive(Clone, Debug, Serialize)]
pub struct FusedStream {
    /// The score file.
    pub path: String,
    /// What of the skeleton the model sees.
    pub stream: String,
    /// SHA-256 of the checkpoint that scored.
    pub checkpoint: String,
    /// Its share in the mean.
    pub weight: f64,
    /// Alone: share of clips whose first guess is right.
    pub top1: f64,
    /// Alone: mean over the classes of that share.
    pub mean_class: f64,
}

/// How weights came about.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "from", rename_all = "lowercase")]
pub enum Chosen {
    /// By nobody.
    Equal,
    /// By --weights.
    Given,
    /// By --tune.
    Tuned {
        /// The held-out clips' split.
        split: String,
        /// How many they are.
        clips: usize,
        /// Weights tried.
        tried: usize,
        /// What the best reach on them.
        top1: f64,
    },
}

impl Fused {
    /// A few lines for people.
    pub fn text(&self) -> String {
        let how = match &self.weights {
            Chosen::Equal => "equal weights".to_owned(),
            Chosen::Given => "given weights".to_owned(),
            Chosen::Tuned {
                split,
                clips,
                tried,
                top1,
            } => format!(
                "weights chosen of {tried} on {} of {split}: {} there",
                count(*clips, "clip"),
                percent(*top1)
            ),
        };
        let mut lines = vec![format!("{}, {how}", count(self.streams.len(), "stream"))];
        for stream in &self.streams {
            lines.push(format!(
                "  {:.3}  {} ({}): alone top-1 {}, mean class {}",
                stream.weight,
                stream.path,
                stream.stream,
                percent(stream.top1),
                percent(stream.mean_class)
            ));
        }
        lines.push(self.evaluation.text());
        lines.join("\n")
    }
}
