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

/// Makes [`Kind`] of a table: what is found, how bad that is, and why it matters.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $severity:ident $why:expr;)*) => {
        /// What can be found.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self {
                    $(Kind::$kind => Severity::$severity,)*
                }
            }

            /// Why it matters.
            pub fn why(self) -> &'static str {
                match self {
                    $(Kind::$kind => $why,)*
                }
            }
        }
    };
}

const NOBODY: &str = "training stops at a clip in which nobody can be seen";
const SEEN: &str = "the model has seen them with their labels: accuracy on this split is too high";

kinds! {
    /// Clips without a row.
    EmptyClip Error NOBODY;
    /// Clips in which no joint is present.
    NoPresentJoint Error NOBODY;
    /// Clips with coordinates that are not finite.
    NotFinite Error "one such number makes the loss NaN, or the joint has to count as missing";
    /// Clips of one frame.
    OneFrame Warning "a single pose is repeated over all frames: there is no motion to learn from";
    /// Clips of several frames in which nothing moves.
    Constant Warning "there is no motion to learn from; the tracker may have frozen";
    /// Labels beyond the classes.
    LabelBeyondClasses Error "the classifier has no output for such a label";
    /// Coordinates that can't be in the units that the data set names.
    Units Error "normalisation and augmentation that depend on the units do the wrong thing";
    /// A third coordinate that looks like a score.
    ThirdIsScore Error "a score is read as depth, and joints that were not found as joints at an arbitrary place";
    /// Many joints at one place.
    Mark Warning "many joints with one and the same value are marks of joints that were not found, not places";
    /// Clips with more people than are read.
    MorePeople Warning "people that are not read may be those that act";
    /// No split.
    NoSplits Warning "there is nothing apart to measure on: whatever is trained is trained on all clips";
    /// Clips whose people are far larger or smaller than the others'.
    Scale Warning "a tracker that lost the person, or a clip in other units, stands out of any normalisation";
    /// Clips with most joints outside of the image.
    OutsideImage Warning "the size of the image is wrong, or x and y are exchanged: normalising by the image fails";
    /// Clips with equal coordinates.
    Copies Note "copies count several times in training and in every mean";
    /// Clips with equal coordinates and different labels.
    ContradictoryLabels Error "the same coordinates can't be of two classes: some of the labels are wrong";
    /// Classes without a clip.
    ClassWithoutClips Note "the classifier has an output that is never right; a list of classes may be another set's";
    /// A split without a clip.
    EmptySplit Error "there is nothing to train or to measure on";
    /// A clip more than once in a split.
    RepeatedInSplit Warning "the clip weighs more than others, in training and in accuracy";
    /// Clips of a split that have no label.
    Unlabelled Warning "fine-tuning and evaluation leave such clips out: the split is smaller than it seems";
    /// A split most of which is one class.
    Uneven Warning "a classifier that always gives this class seems good: look at the mean class accuracy";
    /// Clips that are trained on and tested on.
    SharedClips Error SEEN;
    /// Test clips with the coordinates of training clips.
    SharedPoses Error SEEN;
    /// Subjects that are trained on and tested on.
    SharedSubjects Warning
        "accuracy says nothing about people that were not trained on (a cross-view split is so by design)";
    /// Classes that are tested and not trained.
    ClassNotTrained Error "what was never seen can't be recognised: accuracy has an upper bound below 100 %";
    /// Classes that are trained and not tested.
    ClassNotTested Note "accuracy says nothing about them";
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

    /// One about these clips, if there are any; `what` makes the sentence of how many there are.
    pub(super) fn about(
        kind: Kind,
        clips: Vec<u32>,
        what: impl FnOnce(String) -> String,
    ) -> Option<Finding> {
        let place = |clip| Place { clip, twin: None };
        Finding::at(kind, clips.into_iter().map(place).collect(), what)
    }

    /// The same with the clips' twins.
    pub(super) fn at(
        kind: Kind,
        places: Vec<Place>,
        what: impl FnOnce(String) -> String,
    ) -> Option<Finding> {
        let what = match places.len() {
            0 => return None,
            n => what(many(n, "clip", "s")),
        };
        Some(Finding {
            places,
            ..Finding::new(kind, what)
        })
    }

    pub(super) fn of(mut self, splits: &[&str]) -> Finding {
        self.splits = splits.iter().map(|&split| split.to_owned()).collect();
        self
    }
}

/// `1 clip`, `2 clips`
pub(super) fn many(n: usize, one: &str, ending: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { ending })
}

/// The first few of a list, and how many more there are.
pub(super) fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let first = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
