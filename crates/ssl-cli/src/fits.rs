//! Whether a training step fits into memory, asked before it allocates anything.
//!
//! A step keeps its activations until the backward pass: a number of tensors of (tracks, frames, joints,
//! width), counted here for the paper's models and checked against what processes grew by. Where the
//! estimate is above what is free, the system would start to swap or kill the process within the first
//! step, and say nothing of the reason.

use skeletonmae::MaeConfig;
use strl::StrlConfig;

use crate::failure::{Failure, Outcome};
use crate::machine::Machine;
use crate::memory;

/// Activations that a pre-training step keeps beside those of its encoder layers.
const PRETRAIN: f64 = 10.0;
/// The same of a fine-tuning step, beside those of its STRL layers.
const FINETUNE: f64 = 6.0;
/// Those of an STRL layer beside its encoder's, at the frames it reads.
const STRL_LAYER: f64 = 7.0;
/// Those of an encoder layer: what stands in front of its norms, and its part of the gradients.
const ENCODER_LAYER: f64 = 2.75;
/// How much of the memory that is free a smaller step is proposed to take.
const MARGIN: f64 = 0.8;

/// The step of a training.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The setting that makes it smaller.
    pub setting: &'a str,
    /// Clips computed at once.
    pub clips: usize,
    /// Tracks of these clips, of those with most.
    pub tracks: usize,
    /// T.
    pub frames: usize,
    /// N.
    pub joints: usize,
    /// The encoder's shape.
    pub mae: &'a MaeConfig,
    /// The classifier's, when one is trained.
    pub strl: Option<&'a StrlConfig>,
}

impl Step<'_> {
    /// Bytes that one step takes, roughly.
    pub fn bytes(&self) -> f64 {
        let encoder = ENCODER_LAYER * self.mae.encoder_layers as f64;
        let activations = match self.strl {
            None => PRETRAIN + encoder,
            Some(strl) => {
                // The temporal halves after the first go two frames a step.
                let frames = |layer: usize| 0.5f64.powi(layer.saturating_sub(1) as i32);
                let layer = |layer| frames(layer) * (encoder + STRL_LAYER);
                FINETUNE + (0..strl.layers).map(layer).sum::<f64>()
            }
        };
        let rows = self.tracks as f64 * self.frames as f64 * self.joints as f64;
        rows * self.mae.width as f64 * size_of::<f32>() as f64 * activations
    }

    /// Refuses a step that is larger than the memory that is free, where that is known.
    pub fn check(&self, machine: &Machine) -> Outcome {
        match memory::free(&machine.device) {
            Some(free) => self.check_in(free),
            None => Ok(()),
        }
    }

    fn check_in(&self, free: u64) -> Outcome {
        let bytes = self.bytes();
        if bytes <= free as f64 {
            return Ok(());
        }
        let Step {
            setting,
            clips,
            tracks,
            frames,
            joints,
            mae,
            ..
        } = self;
        let hint = match (*clips as f64 * MARGIN * free as f64 / bytes) as usize {
            0 => "fewer frames (reading.frames) or a narrower model (model.width) take less"
                .to_owned(),
            fits => format!(
                "--set {setting}={fits} would fit: an update stays that of the whole batch, and BatchNorm sees the smaller part"
            ),
        };
        let (width, needs, free) = (mae.width, bytes / 1e9, free as f64 / 1e9);
        Err(Failure::error(format!(
            "{setting}: {clips} clips at once, {tracks} tracks x {frames} frames x {joints} joints x {width} features, take about {needs:.1} GB, and {free:.1} GB of memory are free"
        ))
        .hint(hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step<'a>(mae: &'a MaeConfig, strl: Option<&'a StrlConfig>, clips: usize) -> Step<'a> {
        Step {
            setting: "finetune.micro_batch",
            clips,
            tracks: clips,
            frames: 64,
            joints: 17,
            mae,
            strl,
        }
    }

    /// What processes grew by from micro-batches of 16 to 48 clips of one person, 64 frames and 17 joints, at
    /// width 64, by the largest resident set that the system reports (`wait4`), in megabytes.
    #[test]
    fn the_estimate_is_near_what_was_measured() {
        let of = |encoder_layers, strl_layers: Option<usize>| {
            let mae = MaeConfig {
                encoder_layers,
                ..MaeConfig::default()
            };
            let strl = strl_layers.map(|layers| StrlConfig {
                layers,
                ..StrlConfig::default()
            });
            (step(&mae, strl.as_ref(), 48).bytes() - step(&mae, strl.as_ref(), 16).bytes()) / 1e6
        };
        for (layers, strl, measured) in [
            (1, None, 111.8),
            (3, None, 160.7),
            (4, None, 179.9),
            (1, Some(3), 247.5),
            (3, Some(3), 391.0),
            (4, Some(3), 425.7),
            (3, Some(1), 185.8),
        ] {
            let ratio = of(layers, strl) / measured;
            assert!(
                (0.8..1.25).contains(&ratio),
                "L_D {layers}, M {strl:?}: {ratio:.2}"
            );
        }
    }

    #[test]
    fn a_step_that_cannot_fit_is_refused_with_a_size_that_does() {
        let (mae, strl) = (MaeConfig::default(), StrlConfig::default());
        let step = step(&mae, Some(&strl), 100_000);
        assert!(step.check_in(u64::MAX).is_ok());
        let refused = step.check_in(4_000_000_000).unwrap_err();
        let message = refused.message();
        assert!(
            message.contains("finetune.micro_batch") && message.contains("4.0 GB"),
            "{message}"
        );
        let Failure::Error {
            hint: Some(hint), ..
        } = &refused
        else {
            panic!("no hint");
        };
        let fits: usize = hint
            .split(['=', ' '])
            .find_map(|word| word.parse().ok())
            .unwrap();
        let smaller = Step {
            clips: fits,
            tracks: fits,
            ..step
        };
        assert!(smaller.check_in(4_000_000_000).is_ok(), "{hint}");
    }
}
