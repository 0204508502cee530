//! The rules by which people are chosen among what the sensor took for bodies; and what became of each file by them and why, a
//! JSON line each.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The most people a clip can have; the sensor follows six at once.
const MOST_PERSONS: usize = 64;

/// Named settings of [`Rules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// As pyskl makes its NTU annotations, which published results are measured on: the two people that move most.
    Pyskl,
    /// Everything the sensor followed, on the clip's own time: up to six bodies, none dropped, moved or cut.
    Sensor,
}

/// How bodies are chosen, rule by rule; a cache records every value.
///
/// The rules are applied in this order. [`Preset::Pyskl`]'s are those of pyskl's `ntu_preproc.py`, bit for bit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// 1: frames without any body are dropped, and time counts the others.
    pub drop_empty_frames: bool,
    /// 1: a body's sightings are packed without gaps from its first; else each stays in its frame, with zeros between.
    pub close_gaps: bool,
    /// 2: what comes first among several bodies, for rule 4.
    pub order: Order,
    /// 2: among several bodies those that were seen in fewer frames are dropped.
    pub min_frames: usize,
    /// 3: a frame is clean where the body is at most so many times as wide (x) as it is high (y).
    pub max_width: f64,
    /// 3: among several bodies those with at least this share of frames that aren't clean are dropped; above 1, none is.
    pub noisy_share: f64,
    /// 3: a body with some frames that aren't clean moves as much as it does over all or over its clean frames, whichever
    /// is less.
    pub clean_motion: bool,
    /// 4: how many people there are at most, a slot each.
    pub persons: usize,
    /// 4: a slot can hold several bodies one after the other; else it holds one.
    pub share_slots: bool,
    /// 5: where several bodies are left, frames at both ends are cut whose coordinates' absolute values sum up to less;
    /// at 0, none is.
    pub trim_below: f64,
    /// 5: where several bodies are left, the first two slots change places if the first's mid spine is at zero in the
    /// first frame and the second's isn't.
    pub swap_absent_first: bool,
    /// Coordinates are stored in half precision; else in single, as they were read.
    pub half: bool,
}

/// What comes first among several bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The body that moves most: the variance of its coordinates over all joints and frames.
    Motion,
    /// The body that was seen in most frames.
    Frames,
    /// The body that was seen first.
    Seen,
}

impl From<Preset> for Rules {
    fn from(preset: Preset) -> Rules {
        match preset {
            Preset::Pyskl => Rules {
                drop_empty_frames: true,
                close_gaps: true,
                order: Order::Motion,
                min_frames: 12,
                max_width: 0.8,
                noisy_share: 0.69754,
                clean_motion: true,
                persons: 2,
                share_slots: true,
                trim_below: 1e-3,
                swap_absent_first: true,
                half: true,
            },
            Preset::Sensor => Rules {
                drop_empty_frames: false,
                close_gaps: false,
                order: Order::Seen,
                min_frames: 1,
                max_width: 0.8,
                noisy_share: 2.0,
                clean_motion: false,
                persons: 6,
                share_slots: false,
                trim_below: 0.0,
                swap_absent_first: false,
                half: false,
            },
        }
    }
}

impl Rules {
    /// Whether every value makes sense.
    ///
    /// # Errors
    /// Names the rule, what it takes and what it was given.
    pub fn check(&self) -> Result<()> {
        if !(1..=MOST_PERSONS).contains(&self.persons) {
            let expected = format!("1 to {MOST_PERSONS}");
            return Err(Error::setting("persons", expected, self.persons));
        }
        for (name, value) in [
            ("max_width", self.max_width),
            ("noisy_share", self.noisy_share),
            ("trim_below", self.trim_below),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::setting(name, "a number that is not negative", value));
            }
        }
        Ok(())
    }
}

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileLog {
    /// The sample's name.
    pub sample: String,
    /// Whether it became a clip.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What was dropped or moved on the way, in the order in which it was decided.
    pub decisions: Vec<Decision>,
}

/// Whether a file became a clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It did.
    Kept {
        /// People of the clip, absent ones included.
        persons: usize,
        /// Its frames.
        frames: usize,
    },
    /// It didn't.
    Skipped(Skip),
}

/// Why a file did not become a clip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Skip {
    /// The authors list its skeletons as missing; the file was not read.
    ListedAsMissing,
    /// Its action is not one of this data set; the file was not read.
    OtherAction,
    /// No frame has a body.
    NoBody,
    /// Every body was dropped. pyskl stops here with an assertion.
    NoBodyLeft,
    /// The chosen bodies are zero in every frame. pyskl stops here with an index error.
    AllZero,
    /// It has more frames than any clip can, most of them without a body.
    TooLong,
    /// The file is damaged, and such files are to be skipped.
    Unreadable {
        /// What is wrong with it.
        message: String,
    },
}

impl Skip {
    /// In words, for a summary.
    pub fn words(&self) -> &'static str {
        match self {
            Skip::ListedAsMissing => "listed as missing",
            Skip::OtherAction => "of another data set's action",
            Skip::NoBody => "without any body",
            Skip::NoBodyLeft => "without a body that is left",
            Skip::AllZero => "with zeros only",
            Skip::TooLong => "too long",
            Skip::Unreadable { .. } => "unreadable",
        }
    }
}

/// One thing that was dropped or moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// Joints with coordinates that are not finite became missing.
    MissingJoints {
        /// How many.
        joints: usize,
    },
    /// Frames without any body were dropped.
    EmptyFrames {
        /// How many.
        frames: usize,
    },
    /// A body's sightings were moved together over frames without it.
    GapsClosed {
        /// The body.
        body: u64,
        /// Frames without it between its first and last sighting.
        frames: usize,
    },
    /// A body is one of the clip's people.
    Placed {
        /// The body.
        body: u64,
        /// Which of the people.
        person: usize,
        /// Its first frame, before frames were cut and people changed places.
        start: usize,
        /// Its frames.
        frames: usize,
    },
    /// A body was seen too rarely, and dropped.
    Short {
        /// The body.
        body: u64,
        /// Its frames.
        frames: usize,
    },
    /// A body is wider than people are in too many frames, and was dropped.
    Noisy {
        /// The body.
        body: u64,
        /// Its frames.
        frames: usize,
        /// Those too wide.
        wide: usize,
    },
    /// A body is too wide in some frames, so its motion was measured again over the others.
    MotionOverCleanFrames {
        /// The body.
        body: u64,
        /// Those too wide.
        wide: usize,
        /// Its motion over all frames, square metres.
        before: f32,
        /// The motion by which it was sorted from here on.
        after: f32,
    },
    /// A body overlaps what is in each slot, and was dropped.
    NoSlot {
        /// The body.
        body: u64,
        /// Its first frame.
        start: usize,
        /// The frame after its last.
        end: usize,
    },
    /// Frames at both ends where all slots are zero were cut.
    Trimmed {
        /// At the beginning.
        leading: usize,
        /// At the end.
        trailing: usize,
    },
    /// The first slot was empty in the first frame and the second wasn't: they changed places.
    Swapped,
}
