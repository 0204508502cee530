//! What `ssl evaluate` says.

use serde::Serialize;
use strl::Metrics;

use super::{count, percent};
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
    /// Clips without anybody, left out; not said where there are none.
    #[serde(skip_serializing_if = "super::none")]
    pub nobody: usize,
    /// Views of each clip whose class probabilities were averaged.
    pub views: usize,
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
    pub fn new(
        metrics: Metrics,
        views: usize,
        split: &str,
        data: Fingerprint,
        classes: &[String],
    ) -> Evaluation {
        Evaluation {
            dataset: data.dataset,
            split: split.to_owned(),
            digest: data.digest,
            n: metrics.n,
            unlabelled: metrics.unlabelled,
            nobody: 0,
            views,
            top1: metrics.top1,
            top5: metrics.top5,
            mean_class: metrics.mean_class,
            confusion: metrics.confusion,
            classes: classes.to_vec(),
        }
    }

    /// A few lines for people.
    pub fn text(&self) -> String {
        let views = match self.views {
            1 => String::new(),
            views => format!(", {} of each averaged", count(views, "view")),
        };
        let mut lines = vec![format!(
            "{} {}: {}{views}",
            self.dataset,
            self.split,
            count(self.n, "clip")
        )];
        if self.unlabelled > 0 {
            lines.push(format!("  left out, without a label: {}", self.unlabelled));
        }
        if self.nobody > 0 {
            lines.push(format!("  left out, without anybody: {}", self.nobody));
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
            let wrong = row
                .iter()
                .enumerate()
                .filter(|&(guess, &clips)| guess != truth && clips > 0);
            pairs.extend(wrong.map(|(guess, &clips)| (clips, of, truth, guess)));
        }
        pairs.sort_by(|a, b| b.0.cmp(&a.0).then((a.2, a.3).cmp(&(b.2, b.3))));
        pairs.truncate(WORST);
        let name = |class: usize| self.classes.get(class).map_or("?", String::as_str);
        let width = pairs
            .iter()
            .map(|pair| name(pair.2).chars().count())
            .max()
            .unwrap_or(0);
        pairs
            .into_iter()
            .map(|(clips, of, truth, guess)| {
                format!(
                    "{:width$}  taken for {}: {clips} of {of}",
                    name(truth),
                    name(guess)
                )
            })
            .collect()
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
            nobody: 0,
            views: 1,
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
            "toy test: 10 clips\n  left out, without a label: 2\n  top-1       70.0 %\n  \
             top-5       100.0 %\n  mean class  65.0 %\n  \
             most confused:\n    wave  taken for clap: 2 of 6\n    clap  taken for jump: 1 of 4"
        );
    }

    #[test]
    fn averaged_views_are_said() {
        let mut several = evaluation();
        several.views = 10;
        assert!(
            several
                .text()
                .starts_with("toy test: 10 clips, 10 views of each averaged\n")
        );
    }

    #[test]
    fn the_document_has_the_keys_of_the_contract() {
        let document = serde_json::to_value(evaluation()).unwrap();
        for key in [
            "top1",
            "top5",
            "mean_class",
            "confusion",
            "n",
            "classes",
            "unlabelled",
            "views",
        ] {
            assert!(document.get(key).is_some(), "{key}");
        }
    }
}
