//! What a report says, as data: gathered from run folders, drawn by [`super::html`], and embedded in the page as JSON that a
//! program reads back.

use std::collections::BTreeMap;

use serde::Serialize;
use skeleton_data::draw::{Motion, Skeleton};

use super::order::Orders;
use super::statistics::{McNemar, Share};
use crate::report::{Evaluation, ReconstructionReport};
use crate::run::Epoch;

/// The version of the JSON document. A number stands for one meaning of its keys.
const FORM: u32 = 1;

/// All of a report.
#[derive(Debug, Serialize)]
pub struct Report {
    /// [`FORM`].
    form: u32,
    /// `ssl 0.1.0`
    program: String,
    /// The clips that the runs are measured on, each set once.
    pub sets: Vec<ClipSet>,
    /// The runs, in the order typed.
    pub runs: Vec<RunFacts>,
    /// The first run beside each of the others that is measured on the same clips.
    pub comparisons: Vec<Comparison>,
}

impl Report {
    /// The report of some runs, with what follows from them.
    pub fn new(sets: Vec<ClipSet>, runs: Vec<RunFacts>) -> Report {
        let comparisons = Comparison::all(&sets, &runs);
        Report {
            form: FORM,
            program: format!("ssl {}", env!("CARGO_PKG_VERSION")),
            sets,
            runs,
            comparisons,
        }
    }

    /// What isn't there: of which run, which part, and why.
    pub fn missing(&self) -> Vec<(&str, &'static str, &str)> {
        fn why<T>(part: Option<&Part<T>>) -> Option<&str> {
            match part {
                Some(Part::Missing { why, .. }) => Some(why),
                _ => None,
            }
        }
        let mut found = Vec::new();
        for run in &self.runs {
            let parts = [
                ("measurement", why(run.measured.as_ref())),
                ("guesses", why(run.guesses.as_ref())),
                ("representations", why(Some(&run.planes))),
                ("reconstructions", why(Some(&run.reconstruction))),
            ];
            let missing = parts
                .into_iter()
                .filter_map(|(part, why)| Some((part, why?)));
            found.extend(missing.map(|(part, why)| (&*run.name, part, why)));
        }
        found
    }
}

/// A part of a report, or why it isn't there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part<T> {
    /// It is.
    There(T),
    /// It can't be had.
    Missing {
        /// What is missing.
        why: String,
        /// What to type to have it.
        hint: Option<String>,
    },
}

impl<T> Part<T> {
    /// A part that isn't there.
    pub fn missing(why: impl Into<String>, hint: impl Into<String>) -> Part<T> {
        Part::Missing {
            why: why.into(),
            hint: Some(hint.into()),
        }
    }

    /// The part, where it is there.
    pub fn there(&self) -> Option<&T> {
        match self {
            Part::There(part) => Some(part),
            Part::Missing { .. } => None,
        }
    }
}

/// Clips that runs are measured on, in the order of their ids.
#[derive(Debug, Serialize)]
pub struct ClipSet {
    /// The data set's name.
    pub dataset: String,
    /// The split.
    pub split: String,
    /// The cache's digest.
    pub digest: String,
    /// Class names in the order of the labels.
    pub classes: Vec<String>,
    /// (n) ids.
    pub ids: Vec<String>,
    /// (n) classes; -1 where unlabelled.
    pub labels: Vec<i64>,
    /// What they have in common.
    pub skeleton: Skeleton,
    /// The movement of some, by their places in `ids`.
    pub motion: BTreeMap<usize, Motion>,
}

impl ClipSet {
    /// A class's name, or its number.
    pub fn class(&self, class: i64) -> String {
        let name = usize::try_from(class)
            .ok()
            .and_then(|at| self.classes.get(at));
        match name {
            Some(name) => name.clone(),
            None if class < 0 => "no label".to_owned(),
            None => class.to_string(),
        }
    }
}

/// One run.
#[derive(Debug, Serialize)]
pub struct RunFacts {
    /// The folder as typed.
    pub name: String,
    /// `pretrain` or `finetune`.
    pub kind: &'static str,
    /// The command that makes it again.
    pub command: String,
    /// Where it comes from, as names and values.
    pub provenance: Vec<(String, String)>,
    /// All settings by their dotted names.
    pub settings: BTreeMap<String, String>,
    /// Its training.
    pub epochs: Vec<Epoch>,
    /// What it reaches on its test split; none of a pre-training.
    pub measured: Option<Part<Measured>>,
    /// What it makes of each clip; none of a pre-training.
    pub guesses: Option<Part<Guesses>>,
    /// Clips by their representations, in planes.
    pub planes: Part<Vec<PlaneFacts>>,
    /// Joints hidden and put back.
    pub reconstruction: Part<Reconstructed>,
}

/// What a classifier reaches, with intervals.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// As test.json has it.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// Right first guesses.
    pub top1_interval: Share,
    /// Right classes among five guesses; none of five classes and fewer, where that says nothing.
    pub top5_interval: Option<Share>,
    /// At the epoch that was best on held-out clips: that epoch, and the share.
    pub best: Option<(usize, Share)>,
    /// Class by class.
    pub by_class: Vec<ClassFacts>,
    /// Orders of the classes.
    pub orders: Orders,
    /// What is most often taken for another: the class, what for, and clips.
    pub pairs: Vec<(usize, usize, u64)>,
}

/// Pairs of classes that are listed.
const PAIRS: usize = 12;

impl Measured {
    /// Of a measurement; none where nothing was measured.
    pub fn new(evaluation: Evaluation, best: Option<(usize, &Evaluation)>) -> Option<Measured> {
        let confusion = &evaluation.confusion;
        let of = |share: f64, n: usize| Share::of((share * n as f64).round() as u64, n as u64);
        Some(Measured {
            top1_interval: of(evaluation.top1, evaluation.n)?,
            top5_interval: (evaluation.classes.len() > 5)
                .then(|| of(evaluation.top5, evaluation.n))
                .flatten(),
            best: best.and_then(|(epoch, best)| Some((epoch, of(best.top1, best.n)?))),
            by_class: (0..confusion.len())
                .map(|class| ClassFacts::of(class, &evaluation))
                .collect(),
            orders: Orders::of(&evaluation.classes, confusion),
            pairs: evaluation.confused(PAIRS),
            evaluation,
        })
    }
}

/// One class's clips.
#[derive(Debug, Serialize)]
pub struct ClassFacts {
    /// How many there are.
    pub clips: u64,
    /// How many are taken for it.
    pub right: u64,
    /// The share; none without clips.
    pub share: Option<Share>,
    /// What the others are most often taken for, and how many.
    pub taken_for: Option<(usize, u64)>,
}

impl ClassFacts {
    fn of(class: usize, evaluation: &Evaluation) -> ClassFacts {
        let row = &evaluation.confusion[class];
        let (clips, right) = (row.iter().sum(), row[class]);
        ClassFacts {
            clips,
            right,
            share: Share::of(right, clips),
            taken_for: evaluation.taken_for(class),
        }
    }
}

/// What a classifier makes of the clips of a set.
#[derive(Debug, Serialize)]
pub struct Guesses {
    /// The set, by its place in the report.
    pub set: usize,
    /// (n) most probable classes.
    pub guess: Vec<usize>,
    /// (n) their probabilities, to four places.
    pub p: Vec<f64>,
    /// (n) the true classes' probabilities; 0 of clips without a label.
    pub p_true: Vec<f64>,
    /// Clips taken for another class, the most confident first, by their places in the set.
    pub mistakes: Vec<usize>,
    /// Clips that are right, the most confident first.
    pub best: Vec<usize>,
    /// Where these are not quite what the run measured, why.
    pub note: Option<String>,
}

/// Clips shown as mistakes, and as best ones, at most.
const LISTED: usize = 200;

impl Guesses {
    /// Of class probabilities (n, k) of the clips of a set.
    pub fn new(set: usize, labels: &[i64], probabilities: &[Vec<f64>]) -> Guesses {
        let short = |p: f64| (p * 1e4).round() / 1e4;
        let guess: Vec<usize> = probabilities
            .iter()
            .map(|p| strl::ranking(p).first().copied().unwrap_or(0))
            .collect();
        let at = |clip: usize, class: i64| {
            let class = usize::try_from(class).ok();
            class
                .and_then(|class| probabilities[clip].get(class))
                .copied()
        };
        let p = |clip: usize| at(clip, guess[clip] as i64).unwrap_or(0.0);
        let of = |right: bool| {
            let is =
                |&clip: &usize| labels[clip] >= 0 && (guess[clip] as i64 == labels[clip]) == right;
            let mut clips: Vec<usize> = (0..guess.len()).filter(is).collect();
            // A stable sort: of equally confident ones, the order of their ids.
            clips.sort_by(|&a, &b| p(b).total_cmp(&p(a)));
            clips.truncate(LISTED);
            clips
        };
        Guesses {
            set,
            p: (0..guess.len()).map(|clip| short(p(clip))).collect(),
            p_true: (0..guess.len())
                .map(|clip| short(at(clip, labels[clip]).unwrap_or(0.0)))
                .collect(),
            mistakes: of(false),
            best: of(true),
            guess,
            note: None,
        }
    }
}

/// The plane of the two principal components of the clips' representations.
#[derive(Debug, Serialize)]
pub struct PlaneFacts {
    /// The set, by its place in the report.
    pub set: usize,
    /// What represents them.
    pub name: String,
    /// The axes' shares of the variance.
    pub shares: [f64; 2],
    /// (n), from -1,000 to 1,000 along the axis on which they differ more.
    pub places: Vec<[i32; 2]>,
}

impl PlaneFacts {
    /// Of features (n, w); none where there is nothing to tell apart.
    pub fn new(set: usize, name: &str, rows: &[Vec<f32>]) -> Option<PlaneFacts> {
        let plane = strl::pca::plane(rows)?;
        let middle = [0, 1].map(|axis| {
            let along = plane.places.iter().map(|place| place[axis]);
            let (low, high) = along.fold((f64::MAX, f64::MIN), |(low, high), x| {
                (low.min(x), high.max(x))
            });
            ((low + high) / 2.0, (high - low) / 2.0)
        });
        let half = middle[0].1.max(middle[1].1).max(f64::MIN_POSITIVE);
        let whole = |place: &[f64; 2]| {
            [0, 1].map(|axis| ((place[axis] - middle[axis].0) / half * 1_000.0).round() as i32)
        };
        Some(PlaneFacts {
            set,
            name: name.to_owned(),
            shares: plane.shares,
            places: plane.places.iter().map(whole).collect(),
        })
    }
}

/// What a pre-trained model puts in the place of hidden joints.
#[derive(Debug, Serialize)]
pub struct Reconstructed {
    /// The model's checkpoint, and what it was trained on.
    pub model: String,
    /// Part by part, as the pre-training measured it on held-out clips.
    pub parts: Option<ReconstructionReport>,
    /// What the clips have in common.
    pub skeleton: Skeleton,
    /// Some clips.
    pub clips: Vec<ReconstructedClip>,
}

/// A clip with joints hidden.
#[derive(Debug, Serialize)]
pub struct ReconstructedClip {
    /// Its id.
    pub id: String,
    /// Its class.
    pub class: Option<String>,
    /// What is hidden, in words.
    pub words: String,
    /// What is hidden, joint by joint.
    pub hidden: Vec<usize>,
    /// The clip as the model reads it.
    pub truth: Motion,
    /// The same with the hidden joints where the model puts them.
    pub made: Motion,
    /// Mean distance of the hidden joints from the truth, in normalised units: the model's, and that of the mean of their
    /// nearest visible joints; none where no hidden joint was seen.
    pub errors: Option<(f64, f64)>,
}

/// Two runs on the same clips.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The first, by its place in the report.
    pub first: usize,
    /// The second.
    pub second: usize,
    /// Labelled clips.
    pub clips: usize,
    /// Whether the difference may be chance.
    pub mcnemar: McNemar,
    /// By class: clips right by the second less those by the first, and clips.
    pub by_class: Vec<(i64, u64)>,
}

impl Comparison {
    fn all(sets: &[ClipSet], runs: &[RunFacts]) -> Vec<Comparison> {
        let guesses = |run: usize| runs[run].guesses.as_ref().and_then(Part::there);
        let mut measured = (0..runs.len()).filter(|&run| guesses(run).is_some());
        let Some(first) = measured.next() else {
            return Vec::new();
        };
        let pair = |second: usize| {
            let (a, b) = (guesses(first)?, guesses(second)?);
            (a.set == b.set)
                .then(|| Comparison::of((first, second), &sets[a.set], &a.guess, &b.guess))
        };
        measured.filter_map(pair).collect()
    }

    fn of((first, second): (usize, usize), set: &ClipSet, a: &[usize], b: &[usize]) -> Comparison {
        let mut by_class = vec![(0i64, 0u64); set.classes.len()];
        let (mut clips, mut only) = (0, [0u64; 2]);
        for (clip, &label) in set.labels.iter().enumerate() {
            let Some(class) = usize::try_from(label)
                .ok()
                .filter(|&class| class < by_class.len())
            else {
                continue;
            };
            let right = [a[clip] == class, b[clip] == class];
            clips += 1;
            by_class[class].1 += 1;
            by_class[class].0 += i64::from(right[1]) - i64::from(right[0]);
            only[0] += u64::from(right[0] && !right[1]);
            only[1] += u64::from(right[1] && !right[0]);
        }
        Comparison {
            first,
            second,
            clips,
            mcnemar: McNemar::new(only[0], only[1]),
            by_class,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::{evaluation, set};

    #[test]
    fn mistakes_and_best_clips_are_the_most_confident_first() {
        let probabilities = [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3], [0.99, 0.01]];
        let probabilities: Vec<Vec<f64>> = probabilities.iter().map(|p| p.to_vec()).collect();
        let found = Guesses::new(0, &[0, 0, 1, 1, -1], &probabilities);
        assert_eq!(found.guess, [0, 1, 1, 0, 0]);
        assert_eq!(found.mistakes, [1, 3], "an unlabelled clip is neither");
        assert_eq!(found.best, [0, 2]);
        assert_eq!(found.p_true, [0.9, 0.2, 0.6, 0.3, 0.0]);
    }

    #[test]
    fn a_class_knows_what_it_is_taken_for() {
        let measured = Measured::new(evaluation(), None).unwrap();
        let found: Vec<_> = measured.by_class.iter().map(|one| one.taken_for).collect();
        assert_eq!(found, [Some((1, 2)), Some((2, 1)), None]);
        assert_eq!(measured.pairs, [(0, 1, 2), (1, 2, 1)]);
        assert_eq!(measured.by_class[2].share, None, "it has no clips");
        assert_eq!(measured.top5_interval, None);
    }

    #[test]
    fn two_runs_are_compared_clip_by_clip() {
        let set = set(&[0, 0, 1, 1, -1]);
        let found = Comparison::of((0, 1), &set, &[0, 0, 0, 1, 0], &[0, 1, 1, 1, 1]);
        assert_eq!((found.clips, found.mcnemar.first_only), (4, 1));
        assert_eq!(found.mcnemar.second_only, 1);
        assert_eq!(found.by_class, [(-1, 2), (1, 2), (0, 0)]);
    }

    #[test]
    fn a_plane_is_centred_and_as_wide_as_its_clips() {
        let rows: Vec<Vec<f32>> = (0..9)
            .map(|i| vec![i as f32, 0.1 * (i % 2) as f32])
            .collect();
        let plane = PlaneFacts::new(0, "x", &rows).unwrap();
        assert_eq!((plane.places[0][0], plane.places[8][0]), (-1000, 1000));
        assert!(PlaneFacts::new(0, "x", &rows[..1]).is_none());
    }
}
