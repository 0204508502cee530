//! What `ssl doctor` says.

mod text;

use serde::Serialize;
use skeleton_data::ClipSource;
use skeleton_data::cache::Cache;
use skeleton_data::health::{Finding, Health, Kind, PairFacts, Place, Severity, SplitFacts};

/// A diagnosis with its circumstances.
#[derive(Debug, Serialize)]
pub struct Diagnosis<'a> {
    dataset: &'a str,
    digest: &'a str,
    clips: usize,
    healthy: bool,
    findings: Vec<Shown<'a>>,
    splits: &'a [SplitFacts],
    pairs: &'a [PairFacts],
    #[serde(skip_serializing_if = "Option::is_none")]
    overfit: Option<Overfit>,
    #[serde(skip)]
    classes: &'a [String],
}

/// A finding with the names of its clips.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    severity: Severity,
    kind: Kind,
    what: &'a str,
    splits: &'a [String],
    #[serde(rename = "where")]
    places: Vec<Named<'a>>,
    /// Clips that are not named.
    more: usize,
    why: &'static str,
    advice: &'static str,
}

#[derive(Debug, Serialize)]
struct Named<'a> {
    clip: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    like: Option<&'a str>,
}

/// What came of learning one batch by heart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overfit {
    /// Where the settings come from.
    pub settings: String,
    /// The split the batch is from; none for all clips.
    pub split: Option<String>,
    /// Clips of the batch.
    pub clips: usize,
    /// Their classes.
    pub classes: usize,
    /// Updates made.
    pub steps: usize,
    /// Updates at most.
    pub most_steps: usize,
    /// The loss of the first update.
    pub first_loss: f64,
    /// The loss of the last update.
    pub last_loss: f64,
    /// Below this loss every clip is taken for its class.
    pub goal: f64,
    /// Whether it got there.
    pub fits: bool,
}

impl<'a> Diagnosis<'a> {
    /// Names up to `show` clips of each finding.
    pub fn new(
        cache: &'a Cache,
        health: &'a Health,
        overfit: Option<Overfit>,
        show: usize,
    ) -> Diagnosis<'a> {
        let id = |clip: u32| cache.sample(clip as usize).id;
        let named = |place: &Place| Named {
            clip: id(place.clip),
            like: place.twin.map(id),
        };
        let shown = |finding: &'a Finding| Shown {
            severity: finding.severity,
            kind: finding.kind,
            what: &finding.what,
            splits: &finding.splits,
            places: finding.places.iter().take(show).map(named).collect(),
            more: finding.places.len().saturating_sub(show),
            why: finding.kind.why(),
            advice: advice(finding.kind),
        };
        Diagnosis {
            dataset: cache.dataset(),
            digest: cache.digest(),
            clips: cache.len(),
            healthy: !health.is_ill() && overfit.as_ref().is_none_or(|overfit| overfit.fits),
            findings: health.findings.iter().map(shown).collect(),
            splits: &health.splits,
            pairs: &health.pairs,
            overfit,
            classes: cache.classes(),
        }
    }

    /// How many findings, and a failed batch, make training fail or results lie.
    pub fn errors(&self) -> usize {
        let errors = self
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .count();
        errors + usize::from(self.overfit.as_ref().is_some_and(|overfit| !overfit.fits))
    }
}

/// What to do about it with this program.
fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::EmptyClip | Kind::NoPresentJoint => "leave them out of the source, and prepare again",
        Kind::NotFinite => "prepare again: `ssl prepare` makes such joints missing",
        Kind::OneFrame | Kind::Constant => {
            "look at them (ssl inspect --clip ID --svg FILE.svg); leave them out if they are wrong"
        }
        Kind::LabelBeyondClasses => "prepare again with the right --classes",
        Kind::Units => "prepare again with the right --units, such as --units millimetre",
        Kind::ThirdIsScore => "prepare again with --columns x,y,score",
        Kind::Mark => "prepare again with --missing VALUE",
        Kind::MorePeople => {
            "read others, --set reading.people=motion (or score), or more: --set reading.persons=N"
        }
        Kind::NoSplits => {
            "train on `all` and keep a part back (--train all --holdout 0.2), or prepare again with --split test=share:0.2 --split train=rest"
        }
        Kind::Scale => {
            "look at them (ssl inspect --clip ID --html FILE.html); reading.normalization = \"clip\" evens sizes out"
        }
        Kind::OutsideImage => {
            "check img_shape (height, width) in the source, or use reading.normalization = \"clip\""
        }
        Kind::Copies => "keep one of each in the source, unless the set is published so",
        Kind::ContradictoryLabels => "look at both, and correct the labels in the source",
        Kind::ClassWithoutClips => {
            "check the list of classes; ignore this if the set is published so"
        }
        Kind::EmptySplit => {
            "check that the split's ids are those of the clips (ssl inspect lists the splits)"
        }
        Kind::RepeatedInSplit => "name each clip once in the split",
        Kind::Unlabelled => "label them, or expect fewer clips",
        Kind::Uneven => "report mean_class of ssl evaluate beside top1",
        Kind::SharedClips | Kind::SharedPoses => {
            "test on a split without them, and say so beside published numbers"
        }
        Kind::SharedSubjects => "split by subject, or say that people are shared",
        Kind::ClassNotTrained => "add such clips to training, or leave the class out of the test",
        Kind::ClassNotTested => "nothing, if the test split is published so",
        // Kinds of a newer library.
        _ => "look at the clips",
    }
}
