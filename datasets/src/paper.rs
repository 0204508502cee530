//! The paper's experiments and its numbers, read from `paper.toml`.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::dataset::Error;

const TEXT: &str = include_str!("../paper.toml");

/// One table or figure.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Experiment {
    /// Its name here, such as `table4c`.
    pub id: String,
    /// Its name in a sentence.
    pub title: String,
    /// What a reader of its numbers should know.
    pub note: Option<String>,
    /// What is made of its cells.
    pub shows: Shows,
    /// Its numbers, row by row.
    pub cells: Vec<Cell>,
}

/// What is made of an experiment's cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Shows {
    /// A table of accuracies.
    #[default]
    Table,
    /// The same, drawn as bars.
    Bars,
    /// The clips of five classes in the plane of their two main directions.
    Representations,
    /// How often each class is taken for each other.
    Confusion,
    /// A clip, what the model sees of it, and what it makes of that.
    Reconstructions,
}

/// One number.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Cell {
    /// The row's name.
    pub row: String,
    /// The column's name.
    pub column: String,
    /// The published number in percent; none where it isn't known.
    pub value: Option<f64>,
    /// The clips it was measured on.
    pub clips: Clips,
    /// What the number is.
    pub metric: Metric,
    /// How it was come by.
    pub setup: Setup,
}

/// Clips to train and to test on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Clips {
    /// The data set, one of [`all`](crate::all).
    pub set: String,
    /// The split that is trained on.
    pub train: String,
    /// The split that is measured on, once.
    pub test: String,
}

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Metric {
    /// Share of clips whose class is found.
    Top1,
    /// The mean over classes of that share.
    MeanClass,
}

/// What is different from cell to cell.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Setup {
    /// The encoder's layers.
    pub backbone: Backbone,
    /// `L_D`, how many.
    pub encoder_layers: usize,
    /// M, layers of STRL.
    pub layers: usize,
    /// What precedes fine-tuning.
    pub pretraining: Pretraining,
    /// What is hidden in pre-training.
    pub masked: Masked,
    /// Other clips to pre-train on than those to fine-tune on: set and split.
    pub pretrained_on: Option<(String, String)>,
    /// How the encoder is judged.
    pub protocol: Protocol,
}

/// Layers of the encoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Backbone {
    /// Graph isomorphism network.
    #[default]
    Gin,
    /// Graph convolution (Kipf).
    Gcn,
    /// Graph attention.
    Gat,
}

/// What precedes fine-tuning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Pretraining {
    /// Reconstruction of masked joints.
    #[default]
    SkeletonMae,
    /// Contrast of two views of a clip.
    GraphCl,
    /// Nothing: training from scratch.
    None,
}

/// What is hidden in pre-training.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Masked {
    /// Whole parts, by their names in a layout.
    Parts(Vec<String>),
    /// So many random joints of the 17 of COCO.
    Joints(usize),
    /// What the settings have; written as no part.
    Usual,
}

/// How an encoder is judged. The paper only fine-tunes with all labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Protocol {
    /// Fine-tuning on all labels.
    #[default]
    Finetune,
    /// Fine-tuning on a tenth of each class's labels.
    TenPercent,
    /// A linear classifier on the frozen encoder's features.
    Linear,
    /// The nearest neighbours among the frozen encoder's features.
    Knn,
}

/// The paper's tables and figures, in its order.
pub fn experiments() -> &'static [Experiment] {
    static ALL: LazyLock<Vec<Experiment>> = LazyLock::new(|| {
        experiments_from_toml("paper.toml", TEXT).unwrap_or_else(|error| {
            panic!("the embedded numbers are valid, as tests show: {error}")
        })
    });
    &ALL
}

/// Reads experiments that are written as the paper's are in `paper.toml`; `file` names the text in errors.
///
/// # Errors
/// A text that isn't TOML, unknown or missing keys, an id twice, a cell with parts and joints.
pub fn experiments_from_toml(file: &str, text: &str) -> Result<Vec<Experiment>, Error> {
    let written: Written = toml::from_str(text).map_err(Error::syntax(file))?;
    let mut all: Vec<Experiment> = Vec::new();
    for experiment in written.experiments {
        if all.iter().any(|other| other.id == experiment.id) {
            return Err(Error::value(file, "id", &experiment.id, "each once"));
        }
        all.push(experiment.read(file)?);
    }
    Ok(all)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    experiments: Vec<WrittenExperiment>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenExperiment {
    id: String,
    title: String,
    note: Option<String>,
    #[serde(default)]
    shows: Shows,
    set: String,
    train: String,
    test: String,
    metric: Metric,
    cells: Vec<WrittenCell>,
}

/// What a cell doesn't say is its experiment's, or the paper's default.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCell {
    row: String,
    column: String,
    value: Option<f64>,
    set: Option<String>,
    train: Option<String>,
    test: Option<String>,
    #[serde(default)]
    backbone: Backbone,
    encoder_layers: Option<usize>,
    layers: Option<usize>,
    #[serde(default)]
    pretraining: Pretraining,
    masked: Option<Vec<String>>,
    joints: Option<usize>,
    pretrained_on: Option<WrittenSplit>,
    #[serde(default)]
    protocol: Protocol,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSplit {
    set: String,
    train: String,
}

impl WrittenExperiment {
    fn read(self, file: &str) -> Result<Experiment, Error> {
        let mut cells = Vec::new();
        for cell in self.cells {
            let masked = match (cell.masked, cell.joints) {
                (Some(_), Some(_)) => {
                    return Err(Error::value(
                        file,
                        "masked",
                        &cell.row,
                        "either parts or joints",
                    ));
                }
                (Some(parts), None) if parts.is_empty() => Masked::Usual,
                (Some(parts), None) => Masked::Parts(parts),
                (None, Some(joints)) => Masked::Joints(joints),
                (None, None) => Masked::Parts(vec!["right arm".to_owned()]),
            };
            cells.push(Cell {
                row: cell.row,
                column: cell.column,
                value: cell.value,
                clips: Clips {
                    set: cell.set.unwrap_or_else(|| self.set.clone()),
                    train: cell.train.unwrap_or_else(|| self.train.clone()),
                    test: cell.test.unwrap_or_else(|| self.test.clone()),
                },
                metric: self.metric,
                setup: Setup {
                    backbone: cell.backbone,
                    encoder_layers: cell.encoder_layers.unwrap_or(3),
                    layers: cell.layers.unwrap_or(3),
                    pretraining: cell.pretraining,
                    masked,
                    pretrained_on: cell.pretrained_on.map(|on| (on.set, on.train)),
                    protocol: cell.protocol,
                },
            });
        }
        Ok(Experiment {
            id: self.id,
            title: self.title,
            note: self.note,
            shows: self.shows,
            cells,
        })
    }
}

#[cfg(test)]
mod tests;
