//! The rules by which people are chosen among what the sensor took for bodies.

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
