//! One thing that is wrong, or worth knowing.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// May be as it should be, but look at it.
    Warning,
    /// Training fails, or its results lie.
    Error,
}

/// What can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// Clips without a row.
    EmptyClip,
    /// Clips in which no joint is present.
    NoPresentJoint,
    /// Clips with coordinates that are not finite.
    NotFinite,
    /// Clips of one frame.
    OneFrame,
    /// Clips of several frames in which nothing moves.
    Constant,
    /// Labels beyond the classes.
    LabelBeyondClasses,
    /// Coordinates that can't be in the units that the data set names.
    Units,
    /// Clips whose people are far larger or smaller than the others'.
    Scale,
    /// Clips with most joints outside of the image.
    OutsideImage,
    /// Clips with equal coordinates.
    Copies,
    /// Clips with equal coordinates and different labels.
    ContradictoryLabels,
    /// Classes without a clip.
    ClassWithoutClips,
    /// A split without a clip.
    EmptySplit,
    /// A clip more than once in a split.
    RepeatedInSplit,
    /// Clips of a split that have no label.
    Unlabelled,
    /// A split most of which is one class.
    Uneven,
    /// Clips that are trained on and tested on.
    SharedClips,
    /// Test clips with the coordinates of training clips.
    SharedPoses,
    /// Subjects that are trained on and tested on.
    SharedSubjects,
    /// Classes that are tested and not trained.
    ClassNotTrained,
    /// Classes that are trained and not tested.
    ClassNotTested,
}

/// A clip that a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The clip.
    pub clip: u32,
    /// The clip it is to be compared with: its copy.
    pub twin: Option<u32>,
}

/// One thing that is wrong, or worth knowing.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What kind of thing.
    pub kind: Kind,
    /// How bad it is.
    pub severity: Severity,
    /// What, in a sentence with its numbers.
    pub what: String,
    /// Where: all clips concerned.
    pub places: Vec<Place>,
    /// The splits concerned: none where it is about the whole, two (to train on, to test on) where it is about a pair.
    pub splits: Vec<String>,
}

impl Finding {
    pub(super) fn new(kind: Kind, what: String) -> Finding {
        Finding {
            kind,
            severity: kind.severity(),
            what,
            places: Vec::new(),
            splits: Vec::new(),
        }
    }

    pub(super) fn at(mut self, clips: impl IntoIterator<Item = u32>) -> Finding {
        self.places = clips
            .into_iter()
            .map(|clip| Place { clip, twin: None })
            .collect();
        self
    }

    pub(super) fn of(mut self, splits: &[&str]) -> Finding {
        self.splits = splits.iter().map(|&split| split.to_owned()).collect();
        self
    }
}

impl Kind {
    /// How bad it is.
    pub fn severity(self) -> Severity {
        match self {
            Kind::EmptyClip
            | Kind::NoPresentJoint
            | Kind::NotFinite
            | Kind::LabelBeyondClasses
            | Kind::Units
            | Kind::ContradictoryLabels
            | Kind::EmptySplit
            | Kind::SharedClips
            | Kind::SharedPoses
            | Kind::ClassNotTrained => Severity::Error,
            Kind::OneFrame
            | Kind::Constant
            | Kind::Scale
            | Kind::OutsideImage
            | Kind::RepeatedInSplit
            | Kind::Unlabelled
            | Kind::Uneven
            | Kind::SharedSubjects => Severity::Warning,
            Kind::Copies | Kind::ClassWithoutClips | Kind::ClassNotTested => Severity::Note,
        }
    }

    /// Why it matters.
    pub fn why(self) -> &'static str {
        match self {
            Kind::EmptyClip | Kind::NoPresentJoint => {
                "training stops at a clip in which nobody can be seen"
            }
            Kind::NotFinite => {
                "one such number makes the loss NaN, or the joint has to count as missing"
            }
            Kind::OneFrame => {
                "a single pose is repeated over all frames: there is no motion to learn from"
            }
            Kind::Constant => "there is no motion to learn from; the tracker may have frozen",
            Kind::LabelBeyondClasses => "the classifier has no output for such a label",
            Kind::Units => {
                "normalisation and augmentation that depend on the units do the wrong thing"
            }
            Kind::Scale => {
                "a tracker that lost the person, or a clip in other units, stands out of any normalisation"
            }
            Kind::OutsideImage => {
                "the size of the image is wrong, or x and y are exchanged: normalising by the image fails"
            }
            Kind::Copies => "copies count several times in training and in every mean",
            Kind::ContradictoryLabels => {
                "the same coordinates can't be of two classes: some of the labels are wrong"
            }
            Kind::ClassWithoutClips => {
                "the classifier has an output that is never right; a list of classes may be another set's"
            }
            Kind::EmptySplit => "there is nothing to train or to measure on",
            Kind::RepeatedInSplit => {
                "the clip weighs more than others, in training and in accuracy"
            }
            Kind::Unlabelled => {
                "fine-tuning and evaluation leave such clips out: the split is smaller than it seems"
            }
            Kind::Uneven => {
                "a classifier that always gives this class seems good: look at the mean class accuracy"
            }
            Kind::SharedClips | Kind::SharedPoses => {
                "the model has seen them with their labels: accuracy on this split is too high"
            }
            Kind::SharedSubjects => {
                "accuracy says nothing about people that were not trained on (a cross-view split is so by design)"
            }
            Kind::ClassNotTrained => {
                "what was never seen can't be recognised: accuracy has an upper bound below 100 %"
            }
            Kind::ClassNotTested => "accuracy says nothing about them",
        }
    }
}

/// `1 clip`, `2 clips`
pub(super) fn clips(n: usize) -> String {
    if n == 1 {
        "1 clip".to_owned()
    } else {
        format!("{n} clips")
    }
}

/// The first few of a list, and how many more there are.
pub(super) fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let first = names
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
