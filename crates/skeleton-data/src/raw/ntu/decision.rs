//! What became of each file and why: a JSON line each, for people who want to know.

use serde::{Deserialize, Serialize};

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
