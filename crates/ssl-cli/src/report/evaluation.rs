//! What classifiers reach and guess: measurements, their mean over runs, predictions.

use std::cmp::Reverse;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use strl::{Metrics, ranking};

use super::{columns, count, percent};
use crate::checkpoint::Fingerprint;

/// Confused pairs shown in the text.
const WORST: usize = 5;

/// What `ssl evaluate` measures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
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
    #[serde(default, skip_serializing_if = "super::none")]
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

impl Serialize for Evaluation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Evaluation::serialize(self, serializer)
    }
}

/// A file may be damaged: a matrix that isn't one of its classes is refused.
impl<'de> Deserialize<'de> for Evaluation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Evaluation, D::Error> {
        let read = Evaluation::deserialize(deserializer)?;
        let k = read.classes.len();
        let is_square =
            read.confusion.len() == k && read.confusion.iter().all(|row| row.len() == k);
        match is_square {
            true => Ok(read),
            false => Err(D::Error::custom(format!(
                "confusion: expected {k} rows of {k}, one a class, found others"
            ))),
        }
    }
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
        // Of five classes and fewer, the right one is always among the first five.
        if self.confusion.len() > 5 {
            lines.push(format!("  top-5       {}", percent(self.top5)));
        }
        lines.push(format!("  mean class  {}", percent(self.mean_class)));
        let pairs = self.worst_pairs();
        if !pairs.is_empty() {
            lines.push("  most confused:".to_owned());
            lines.extend(columns(&[false, false], &pairs));
        }
        lines.join("\n")
    }

    /// What of a class is most often taken for another, in two columns.
    fn worst_pairs(&self) -> Vec<[String; 2]> {
        let name = |class: usize| self.classes.get(class).map_or("?", String::as_str);
        let row = |(truth, guess, clips): (usize, usize, u64)| {
            let of: u64 = self.confusion[truth].iter().sum();
            let taken = format!("taken for {}: {clips} of {of}", name(guess));
            [format!("    {}", name(truth)), taken]
        };
        self.confused(WORST).into_iter().map(row).collect()
    }

    /// The `most` pairs of classes that are confused most often: the class, what it is taken for, and clips; of equally many, the
    /// first classes.
    pub fn confused(&self, most: usize) -> Vec<(usize, usize, u64)> {
        let of = |truth| {
            self.wrong(truth)
                .map(move |(guess, clips)| (truth, guess, clips))
        };
        let mut pairs: Vec<_> = (0..self.confusion.len()).flat_map(of).collect();
        pairs.sort_by_key(|&(truth, guess, clips)| (Reverse(clips), truth, guess));
        pairs.truncate(most);
        pairs
    }

    /// What a class is most often taken for, and clips; of equally many, the first class.
    pub fn taken_for(&self, class: usize) -> Option<(usize, u64)> {
        self.wrong(class)
            .max_by_key(|&(guess, clips)| (clips, Reverse(guess)))
    }

    /// The other classes that a class is taken for, and clips.
    fn wrong(&self, class: usize) -> impl Iterator<Item = (usize, u64)> {
        let guesses = self.confusion[class].iter().copied().enumerate();
        guesses.filter(move |&(guess, clips)| guess != class && clips > 0)
    }
}

/// The contents of test_best.json.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BestEvaluation {
    /// Epochs done when the model was best on the held-out clips.
    pub epoch: usize,
    #[serde(flatten)]
    pub evaluation: Evaluation,
}

/// One measure over the runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statistic {
    /// The mean.
    pub mean: f64,
    /// The sample standard deviation (n - 1); none of a single run.
    pub std: Option<f64>,
    /// Each run's.
    pub each: Vec<f64>,
}

impl Statistic {
    /// Of one value a run.
    pub fn of(each: Vec<f64>) -> Statistic {
        let n = each.len() as f64;
        let mean = each.iter().sum::<f64>() / n;
        let squares: f64 = each.iter().map(|x| (x - mean) * (x - mean)).sum();
        Statistic {
            mean,
            std: (each.len() > 1).then(|| (squares / (n - 1.0)).sqrt()),
            each,
        }
    }

    /// `77.3 % ± 0.4  (77.0 77.6)`
    pub fn text(&self) -> String {
        let std = self
            .std
            .map_or(String::new(), |std| format!(" ± {:.1}", 100.0 * std));
        let each = self.each.iter().map(|x| format!("{:.1}", 100.0 * x));
        let each: Vec<String> = each.collect();
        format!("{}{std}  ({})", percent(self.mean), each.join(" "))
    }
}

/// One clip of `ssl predict`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The clip.
    pub id: String,
    /// The likeliest classes, likeliest first; none of a clip without anybody.
    pub top: Option<Vec<Guess>>,
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
            let name = classes
                .get(class)
                .cloned()
                .unwrap_or_else(|| class.to_string());
            Guess {
                class,
                name,
                p: probabilities[class],
            }
        };
        Prediction {
            id,
            top: Some(
                ranking(probabilities)
                    .into_iter()
                    .take(most)
                    .map(guess)
                    .collect(),
            ),
        }
    }

    /// One line: the clip, then its classes.
    pub fn text(&self) -> String {
        let Some(top) = &self.top else {
            return format!("{}\t-", self.id);
        };
        let guesses: Vec<String> = top
            .iter()
            .map(|guess| format!("{} {:.3}", guess.name, guess.p))
            .collect();
        format!("{}\t{}", self.id, guesses.join(", "))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn evaluation() -> Evaluation {
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
            "toy test: 10 clips\n  left out, without a label: 2\n  top-1       70.0 %\n  mean class  65.0 %\n  \
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

    #[test]
    fn guesses_are_likeliest_first_and_keep_their_numbers() {
        let classes = ["a", "b", "c"].map(String::from);
        let prediction = Prediction::new("clip".into(), &[0.25, 0.5, 0.25], &classes, 2);
        assert_eq!(prediction.text(), "clip\tb 0.500, a 0.250");
        let document = serde_json::to_value(&prediction).unwrap();
        assert_eq!(
            document,
            serde_json::json!({"id": "clip", "top": [
            {"class": 1, "name": "b", "p": 0.5}, {"class": 0, "name": "a", "p": 0.25}]})
        );
    }

    /// python3: statistics.mean and statistics.stdev of [0.7, 0.8, 0.75]
    #[test]
    fn the_deviation_is_a_samples() {
        let of = Statistic::of(vec![0.7, 0.8, 0.75]);
        assert!((of.mean - 0.75).abs() < 1e-12);
        assert!((of.std.unwrap() - 0.05).abs() < 1e-12);
        assert_eq!(of.text(), "75.0 % ± 5.0  (70.0 80.0 75.0)");
        assert_eq!(Statistic::of(vec![0.5]).std, None);
    }
}
