//! What the clock says of an epoch.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A line of timings.jsonl.
#[derive(Serialize, Deserialize)]
pub struct Timing {
    epoch: usize,
    pub train_seconds: f64,
    pub clips_per_second: f64,
    pub seconds: f64,
}

/// An epoch of `clips` clips: the time of its steps, and with all that follows them.
pub fn timing(epoch: usize, clips: usize, train: Duration, all: Duration) -> Timing {
    let (train_seconds, seconds) = (train.as_secs_f64(), all.as_secs_f64());
    Timing {
        epoch,
        train_seconds,
        clips_per_second: clips as f64 / train_seconds.max(1e-9),
        seconds,
    }
}
