//! Whether a training step fits into memory, asked before it allocates anything.
//!
//! A step keeps its activations until the backward pass: a number of tensors of (tracks, frames, joints,
//! width), counted here for the paper's models and checked against what processes grew by, and what GPUs gave. Where the
//! estimate is above what is free, the system would start to swap or kill the process within the first
//! step, and say nothing of the reason.

use skeleton_kernels::reference_only;
use skeletonmae::{Backbone, MaeConfig};
use strl::StrlConfig;

use crate::failure::{Failure, Outcome};
use crate::machine::Machine;
use crate::process;
use crate::ranks::world;

/// How many activations a step keeps.
#[derive(Clone, Copy, Debug)]
struct Kept {
    /// Of a pre-training step, beside those of its encoder layers.
    pretrain: f64,
    /// Of a fine-tuning step, beside those of its STRL layers.
    finetune: f64,
    /// Of an STRL layer beside its encoder's, at the frames it reads.
    strl_layer: f64,
    /// Of an encoder layer: what stands in front of its norms, and its part of the gradients.
    encoder_layer: f64,
}

/// By what the ops go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ops {
    /// The CPU's fused forms, which compute much again in the backward pass.
    Fused,
    /// The definitions, on a GPU: every intermediate result is kept.
    Definitions,
}

impl Ops {
    /// Those of a machine.
    pub fn of(machine: &Machine) -> Ops {
        match machine.device.is_cpu() && !reference_only() {
            true => Ops::Fused,
            false => Ops::Definitions,
        }
    }

    fn kept(self, backbone: Backbone) -> Kept {
        match self {
            Ops::Fused => Kept {
                pretrain: 10.0,
                finetune: 6.0,
                strl_layer: 7.0,
                encoder_layer: 2.75,
            },
            Ops::Definitions => Kept {
                pretrain: 25.0,
                finetune: 14.0,
                strl_layer: 60.0,
                encoder_layer: match backbone {
                    Backbone::Gin => 39.0,
                    Backbone::Gcn => 25.0,
                    Backbone::Gat => 41.0,
                },
            },
        }
    }
}

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
    /// By what its ops go.
    pub ops: Ops,
}

impl Step<'_> {
    /// Bytes that one step takes, roughly.
    pub fn bytes(&self) -> f64 {
        let kept = self.ops.kept(self.mae.backbone);
        let encoder = kept.encoder_layer * self.mae.encoder_layers as f64;
        let activations = match self.strl {
            None => kept.pretrain + encoder,
            Some(strl) => {
                // The temporal halves after the first go two frames a step.
                let frames = |layer: usize| 0.5f64.powi(layer.saturating_sub(1) as i32);
                let layer = |layer| frames(layer) * (encoder + kept.strl_layer);
                kept.finetune + (0..strl.layers).map(layer).sum::<f64>()
            }
        };
        let rows = self.tracks as f64 * self.frames as f64 * self.joints as f64;
        rows * self.mae.width as f64 * size_of::<f32>() as f64 * activations
    }

    /// After a device had no memory left for the step after all: what was asked of it, and a size that may do.
    pub fn out_of_memory(&self, machine: &Machine) -> Failure {
        let estimated = process::free(&machine.device).map_or(0.0, |free| self.fitting(free));
        let half = self.clips as f64 / 2.0;
        let fewer = if estimated >= 1.0 {
            estimated.min(half)
        } else {
            half
        };
        let (name, setting, clips) = (&machine.name, self.setting, self.clips);
        Failure::error(format!(
            "{name} is out of memory with {clips} clips at once ({setting})"
        ))
        .hint(self.advice(fewer as usize, "takes less"))
    }

    /// How to make the step smaller: by so few clips at once, or, where not even one fits, otherwise.
    fn advice(&self, clips: usize, does: &str) -> String {
        let setting = self.setting;
        match clips {
            0 => "fewer frames (reading.frames) or a narrower model (model.width) take less"
                .to_owned(),
            clips => format!(
                "--set {setting}={clips} {does}: an update stays that of the whole batch, and BatchNorm sees the smaller part"
            ),
        }
    }

    /// Clips that fit into so many free bytes, with a margin.
    fn fitting(&self, free: u64) -> f64 {
        self.clips as f64 * MARGIN * free as f64 / self.bytes()
    }

    /// Refuses a step that is larger than the memory that is free, where that is known.
    pub fn check(&self, machine: &Machine) -> Outcome {
        // Ranks of one machine have its memory together, and a GPU each.
        let beside = match machine.device.is_cpu() {
            true => world().local().1 as u64,
            false => 1,
        };
        match process::free(&machine.device) {
            Some(free) => self.check_in(free / beside),
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
        let hint = self.advice(self.fitting(free) as usize, "would fit");
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
            ops: Ops::Fused,
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

    /// The most memory in use on an H200 in the steps of docs/gpu.md, in mebibytes.
    #[test]
    fn the_estimate_for_a_gpu_is_near_what_was_measured() {
        let own = StrlConfig::default();
        for (backbone, strl, tracks, measured) in [
            (Backbone::Gin, None, 16, 604.0),
            (Backbone::Gin, None, 1024, 38647.0),
            (Backbone::Gcn, None, 256, 6054.0),
            (Backbone::Gat, None, 256, 9834.0),
            (Backbone::Gin, Some(&own), 128, 15259.0),
        ] {
            let mae = MaeConfig {
                backbone,
                ..MaeConfig::default()
            };
            let step = Step {
                ops: Ops::Definitions,
                ..step(&mae, strl, tracks)
            };
            let ratio = step.bytes() / (measured * 1024.0 * 1024.0);
            assert!(
                (0.9..1.2).contains(&ratio),
                "{backbone:?}, {tracks}: {ratio:.2}"
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
