//! What `ssl info` says: a model's card.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use strl::cost::Module;

use super::{count, percent};
use crate::checkpoint::Meta;

/// A model's card.
#[derive(Clone, Debug, Serialize)]
pub struct Card {
    /// The checkpoint.
    pub path: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// `pretrain` or `finetune`.
    pub kind: &'static str,
    /// The checkpoint's version.
    pub version: u64,
    /// The skeleton.
    pub layout: LayoutCard,
    /// T.
    pub frames: usize,
    /// c.
    pub coordinates: usize,
    /// What the coordinates are measured in.
    pub units: &'static str,
    /// What of the skeleton the model sees.
    pub stream: &'static str,
    /// Class names; none of a pre-trained model.
    pub classes: Vec<String>,
    /// Numbers that training changes.
    pub parameters: usize,
    /// Multiply-adds of one forward pass for one person of one clip.
    pub multiply_adds: usize,
    /// Twice as many.
    pub flops: usize,
    /// Both and the running statistics by module.
    pub modules: Vec<Module>,
    /// What it was trained on.
    pub training: Training,
    /// Where it comes from, if not from training alone.
    pub origin: Origins,
    /// All settings.
    pub settings: Value,
    /// What it reached: the files test.json, test_best.json and reconstruction.json of its run.
    pub metrics: BTreeMap<String, Value>,
    /// Sizes in bytes of the run's files, or of the one file.
    pub files: BTreeMap<String, u64>,
}

/// A skeleton.
#[derive(Clone, Debug, Serialize)]
pub struct LayoutCard {
    /// Its name.
    pub name: String,
    /// V.
    pub joints: usize,
    /// Undirected edges.
    pub edges: usize,
    /// Its parts' names.
    pub parts: Vec<String>,
}

/// What a model was trained on.
#[derive(Clone, Debug, Serialize)]
pub struct Training {
    /// The data set's name.
    pub dataset: String,
    /// The cache's digest.
    pub digest: String,
    /// The split.
    pub split: Option<String>,
    /// Clips trained on, where the run says it.
    pub clips: Option<usize>,
    /// Share of the labels that was known, where it wasn't all.
    pub labels: Option<f64>,
    /// Share held out of the split.
    pub holdout: Option<f64>,
    /// Epochs done.
    pub epochs: usize,
    /// Of everything random.
    pub seed: u64,
    /// The commit the program was built at.
    pub commit: Option<String>,
}

/// Where a model comes from.
#[derive(Clone, Debug, Serialize)]
pub struct Origins {
    /// SHA-256 of the checkpoint whose encoder was the start.
    pub encoder: Option<String>,
    /// Where that was.
    pub encoder_path: Option<String>,
    /// SHA-256 of the file whose numbers were imported.
    pub imported: Option<String>,
}

impl Origins {
    /// As the checkpoint and its run say.
    pub fn new(meta: &Meta, encoder_path: Option<String>) -> Origins {
        Origins {
            encoder: meta.encoder.clone(),
            encoder_path,
            imported: meta.imported.clone(),
        }
    }
}

impl Card {
    /// A page for people.
    pub fn text(&self) -> String {
        let what = match self.kind {
            "pretrain" => "SkeletonMAE",
            _ => "STRL classifier",
        };
        let mut lines = vec![
            format!(
                "{}: {what}, checkpoint version {}, SHA-256 {:.12}",
                self.path, self.version, self.sha256
            ),
            format!(
                "reads       {}: {}, {}; {} of {} coordinates ({}), stream {}",
                self.layout.name,
                count(self.layout.joints, "joint"),
                count(self.layout.edges, "edge"),
                count(self.frames, "frame"),
                self.coordinates,
                self.units,
                self.stream
            ),
        ];
        if !self.classes.is_empty() {
            let (n, names) = (self.classes.len(), self.classes.join(", "));
            lines.push(format!("classes     {n}: {names}"));
        }
        lines.push(format!("trained on  {}", self.training.text()));
        if let Some(sha256) = &self.origin.encoder {
            let path = self.origin.encoder_path.as_deref();
            let path = path.map_or(String::new(), |path| format!(" ({path})"));
            lines.push(format!("encoder     from SHA-256 {sha256:.12}{path}"));
        }
        if let Some(sha256) = &self.origin.imported {
            lines.push(format!(
                "numbers     imported from SHA-256 {sha256:.12}, not trained here"
            ));
        }
        lines.extend(
            self.metrics
                .iter()
                .map(|(name, value)| measured(name, value)),
        );
        lines.extend(self.table());
        lines.extend(self.settings_lines());
        let files = self.files.iter();
        let files: Vec<String> = files.map(|(name, size)| format!("{name} {size}")).collect();
        lines.push(format!("bytes       {}", files.join(", ")));
        lines.join("\n")
    }

    fn table(&self) -> Vec<String> {
        let width = self.modules.iter().map(|m| m.name.len()).max().unwrap_or(0);
        let row = |name: &str, parameters: usize, multiply_adds: usize| {
            format!(
                "  {name:width$}  {:>12}  {:>14}",
                grouped(parameters),
                grouped(multiply_adds)
            )
        };
        let mut lines = vec![format!(
            "{:width$}    {:>12}  {:>14}",
            "modules", "parameters", "multiply-adds"
        )];
        let each = self.modules.iter();
        lines.extend(each.map(|m| row(&m.name, m.parameters, m.multiply_adds)));
        lines.push(format!(
            "{} (a forward pass of one person of one clip, {:.1} MFLOP)",
            row("all", self.parameters, self.multiply_adds),
            self.flops as f64 / 1e6
        ));
        lines
    }

    /// The settings, a line a section.
    fn settings_lines(&self) -> Vec<String> {
        let Value::Object(sections) = &self.settings else {
            return Vec::new();
        };
        let section = |(name, value): (&String, &Value)| format!("  {name} {value}");
        std::iter::once("settings".to_owned())
            .chain(sections.iter().map(section))
            .collect()
    }
}

impl Training {
    fn text(&self) -> String {
        let mut words = vec![format!(
            "{} {}",
            self.dataset,
            self.split.as_deref().unwrap_or("(split not recorded)")
        )];
        words.extend(self.clips.map(|clips| count(clips, "clip")));
        words.extend(
            self.labels
                .map(|share| format!("labels of a share of {share}")),
        );
        words.extend(
            self.holdout
                .map(|share| format!("a share of {share} held out")),
        );
        words.push(count(self.epochs, "epoch"));
        words.push(format!("seed {}", self.seed));
        words.push(format!("data {:.12}", self.digest));
        words.extend(
            self.commit
                .as_ref()
                .map(|commit| format!("commit {commit:.12}")),
        );
        words.join(", ")
    }
}

/// One line of what was reached.
fn measured(name: &str, value: &Value) -> String {
    let share = |key: &str| value[key].as_f64().map_or("?".to_owned(), percent);
    let split = value["split"].as_str().unwrap_or("?");
    match name {
        "reconstruction.json" => {
            let of = |key: &str| match value["all"][key].as_f64() {
                Some(distance) => format!("{distance:.3}"),
                None => "?".to_owned(),
            };
            format!(
                "reached     masked joints of {split} to {} of a clip's units, their nearest visible joints to {}",
                of("model"),
                of("neighbours")
            )
        }
        name => {
            let which = match name {
                "test_best.json" => "at the best epoch by held-out clips",
                _ => "after the last epoch",
            };
            format!(
                "reached     {split}: top-1 {}, mean class {}, {} clips, {which}",
                share("top1"),
                share("mean_class"),
                value["n"]
            )
        }
    }
}

/// `1,234,567`
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        let of = [0, 999, 1_000, 140_622, 12_345_678].map(grouped);
        assert_eq!(of, ["0", "999", "1,000", "140,622", "12,345,678"]);
    }
}
