//! Results as documents (for `--json`) and as text for people.

use serde::Serialize;
use skeleton_graph::Layout;
use skeletonmae::reconstruct::{PartError, Reconstruction};
use strl::{Metrics, ranking};

use crate::checkpoint::Fingerprint;

/// Confused pairs shown in the text.
const WORST: usize = 5;

/// What `ssl evaluate` measures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// The data set's name.
    pub dataset: String,
    /// The split measured on.
    pub split: String,
    /// The cache's digest.
    pub digest: String,
    /// Labelled clips: those measured.
    pub n: usize,
    /// Clips without a label, left out.
    pub unlabelled: usize,
    /// Share of clips whose first guess is right.
    pub top1: f64,
    /// Share of clips with the right class among the first five guesses.
    pub top5: f64,
    /// Mean over the classes that occur of each class's share of right first guesses.
    pub mean_class: f64,
    /// Counts: a row for each true class, a column for each guess.
    pub confusion: Vec<Vec<u64>>,
    /// Class names in the order of rows and columns.
    pub classes: Vec<String>,
}

impl Evaluation {
    /// The measurement with its circumstances.
    pub fn new(metrics: Metrics, split: &str, data: Fingerprint, classes: &[String]) -> Evaluation {
        Evaluation {
            dataset: data.dataset,
            split: split.to_owned(),
            digest: data.digest,
            n: metrics.n,
            unlabelled: metrics.unlabelled,
            top1: metrics.top1,
            top5: metrics.top5,
            mean_class: metrics.mean_class,
            confusion: metrics.confusion,
            classes: classes.to_vec(),
        }
    }

    /// A few lines for people.
    pub fn text(&self) -> String {
        let mut lines = vec![format!("{} {}: {}", self.dataset, self.split, count(self.n, "clip"))];
        if self.unlabelled > 0 {
            lines.push(format!("  left out, without a label: {}", self.unlabelled));
        }
        lines.push(format!("  top-1       {}", percent(self.top1)));
        lines.push(format!("  top-5       {}", percent(self.top5)));
        lines.push(format!("  mean class  {}", percent(self.mean_class)));
        let pairs = self.worst_pairs();
        if !pairs.is_empty() {
            lines.push("  most confused:".to_owned());
            lines.extend(pairs.into_iter().map(|pair| format!("    {pair}")));
        }
        lines.join("\n")
    }

    fn worst_pairs(&self) -> Vec<String> {
        let mut pairs: Vec<(u64, u64, usize, usize)> = Vec::new();
        for (truth, row) in self.confusion.iter().enumerate() {
            let of: u64 = row.iter().sum();
            let wrong = row.iter().enumerate().filter(|&(guess, &clips)| guess != truth && clips > 0);
            pairs.extend(wrong.map(|(guess, &clips)| (clips, of, truth, guess)));
        }
        pairs.sort_by(|a, b| b.0.cmp(&a.0).then((a.2, a.3).cmp(&(b.2, b.3))));
        pairs.truncate(WORST);
        let name = |class: usize| self.classes.get(class).map_or("?", String::as_str);
        let width = pairs.iter().map(|pair| name(pair.2).chars().count()).max().unwrap_or(0);
        pairs
            .into_iter()
            .map(|(clips, of, truth, guess)| format!("{:width$}  taken for {}: {clips} of {of}", name(truth), name(guess)))
            .collect()
    }
}

/// One clip of `ssl predict`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The clip.
    pub id: String,
    /// The likeliest classes, likeliest first.
    pub top: Vec<Guess>,
}

/// A class with its probability.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Guess {
    /// The class's number.
    pub class: usize,
    /// Its name.
    pub name: String,
    /// Its probability.
    pub p: f64,
}

impl Prediction {
    /// The `most` likeliest of `probabilities`; equal ones in the order of their numbers.
    pub fn new(id: String, probabilities: &[f64], classes: &[String], most: usize) -> Prediction {
        let guess = |class: usize| {
            let name = classes.get(class).cloned().unwrap_or_else(|| class.to_string());
            Guess { class, name, p: probabilities[class] }
        };
        Prediction { id, top: ranking(probabilities).into_iter().take(most).map(guess).collect() }
    }

    /// One line: the clip, then its classes.
    pub fn text(&self) -> String {
        let guesses: Vec<String> = self.top.iter().map(|guess| format!("{} {:.3}", guess.name, guess.p)).collect();
        format!("{}\t{}", self.id, guesses.join(", "))
    }
}

/// How well masked joints are put back in coordinates: mean distances in the clips' normalised units.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReconstructionReport {
    /// The split measured on.
    pub split: String,
    /// All parts together.
    pub all: PartReport,
    /// Each part masked alone.
    pub parts: Vec<PartReport>,
}

/// One part masked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartReport {
    /// The part.
    pub part: String,
    /// Joints reconstructed.
    pub joints: usize,
    /// The model's mean distance; none where no joint was masked.
    pub model: Option<f64>,
    /// The mean distance of the mean of the nearest visible joints by hops.
    pub neighbours: Option<f64>,
    /// Joints for which the model's feature allowed no coordinates; they count as put on the origin.
    pub without_scale: usize,
}

impl ReconstructionReport {
    /// The sums as means, part by part.
    pub fn new(split: &str, layout: &Layout, sums: &Reconstruction) -> ReconstructionReport {
        let part = |name: &str, sum: &PartError| PartReport {
            part: name.to_owned(),
            joints: sum.joints,
            model: sum.means().map(|means| means.0),
            neighbours: sum.means().map(|means| means.1),
            without_scale: sum.without_scale,
        };
        let parts = layout.parts().iter().zip(&sums.parts).map(|(named, sum)| part(&named.name, sum)).collect();
        ReconstructionReport { split: split.to_owned(), all: part("all parts", &sums.total()), parts }
    }

    /// A table for people.
    pub fn text(&self) -> String {
        let rows = || self.parts.iter().chain([&self.all]);
        let width = rows().map(|row| row.part.chars().count()).max().unwrap_or(0);
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
        let mut lines = vec![
            format!("masked joints of {}, mean distance from the truth in the clips' normalised units:", self.split),
            format!("  {:width$}  model  nearest visible joints", ""),
        ];
        lines.extend(rows().map(|row| format!("  {:width$}  {:>5}  {:>5}", row.part, number(row.model), number(row.neighbours))));
        lines.join("\n")
    }
}

/// `73.9 %`
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// `1 clip`, `2 clips`, `2 classes`
pub fn count(n: usize, thing: &str) -> String {
    match thing.strip_suffix("ss") {
        _ if n == 1 => format!("1 {thing}"),
        Some(_) => format!("{n} {thing}es"),
        None => format!("{n} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation() -> Evaluation {
        Evaluation {
            dataset: "toy".into(),
            split: "test".into(),
            digest: "00".into(),
            n: 10,
            unlabelled: 2,
            top1: 0.7,
            top5: 1.0,
            mean_class: 0.65,
            confusion: vec![vec![4, 2, 0], vec![0, 3, 1], vec![0, 0, 0]],
            classes: ["wave", "clap", "jump"].map(String::from).to_vec(),
        }
    }

    #[test]
    fn the_text_names_the_worst_pairs_first() {
        let text = evaluation().text();
        assert_eq!(
            text,
            "toy test: 10 clips\n  left out, without a label: 2\n  top-1       70.0 %\n  top-5       100.0 %\n  mean class  65.0 %\n  \
             most confused:\n    wave  taken for clap: 2 of 6\n    clap  taken for jump: 1 of 4"
        );
    }

    #[test]
    fn the_document_has_the_keys_of_the_contract() {
        let document = serde_json::to_value(evaluation()).unwrap();
        for key in ["top1", "top5", "mean_class", "confusion", "n", "classes", "unlabelled"] {
            assert!(document.get(key).is_some(), "{key}");
        }
    }

    #[test]
    fn guesses_are_likeliest_first_and_keep_their_numbers() {
        let classes = ["a", "b", "c"].map(String::from);
        let prediction = Prediction::new("clip".into(), &[0.25, 0.5, 0.25], &classes, 2);
        assert_eq!(prediction.text(), "clip\tb 0.500, a 0.250");
        let document = serde_json::to_value(&prediction).unwrap();
        assert_eq!(document, serde_json::json!({"id": "clip", "top": [
            {"class": 1, "name": "b", "p": 0.5}, {"class": 0, "name": "a", "p": 0.25}]}));
    }
}
