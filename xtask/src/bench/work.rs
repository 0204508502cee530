//! What is measured of the models and their ops, by both sides.

/// The shapes of a work, the same on both sides.
pub struct Work {
    /// The topic.
    pub name: &'static str,
    /// What is measured, in a few words.
    pub title: &'static str,
    /// What the programs call it.
    pub call: &'static str,
    /// PyTorch's side, below `tests/reference`.
    pub script: &'static str,
    pub clips: usize,
    /// Steps a round.
    pub steps: usize,
    /// The smallest ratios that are aimed at: against eager PyTorch and against the compiled.
    pub goals: [f64; 2],
}

pub const FRAMES: usize = 64;
pub const LAYOUT: &str = "coco17";

pub const MODELS: &str = "bench_models.py";

pub const WORKS: [Work; 4] = [
    Work {
        name: "pretrain",
        title: "pre-training step, 16 clips",
        call: "pretrain",
        script: MODELS,
        clips: 16,
        steps: 5,
        goals: [3.0, 2.0],
    },
    Work {
        name: "finetune",
        title: "fine-tuning step, 16 clips x 2 persons",
        call: "finetune",
        script: MODELS,
        clips: 16,
        steps: 3,
        goals: [4.0, 3.3],
    },
    Work {
        name: "infer",
        title: "inference, 16 clips x 2 persons",
        call: "infer",
        script: MODELS,
        clips: 16,
        steps: 5,
        goals: [3.5, 1.6],
    },
    Work {
        name: "infer1",
        title: "inference, 1 clip x 2 persons",
        call: "infer",
        script: MODELS,
        clips: 1,
        steps: 41,
        goals: [3.5, 1.75],
    },
];

/// An op of the models; the goal is that none be slower than PyTorch's.
const fn op(call: &'static str, title: &'static str) -> Work {
    Work {
        name: call,
        title,
        call,
        script: "bench_ops.py",
        clips: 16,
        steps: 5,
        goals: [1.0; 2],
    }
}

pub const OPS: [Work; 8] = [
    op("op_gin", "three GIN layers, 16 tracks"),
    op(
        "op_decoder",
        "a GIN layer of which four joints are wanted, 16 tracks",
    ),
    op("op_linear", "a linear map, 16 tracks"),
    op("op_rce", "re-weighted cosine error, 16 tracks"),
    op("op_embed", "embedding with positions, 32 tracks"),
    op(
        "op_spatial",
        "the spatial half behind its encoder, 32 tracks",
    ),
    op("op_temporal", "the temporal half, 32 tracks"),
    op(
        "op_temporal_stride_2",
        "the temporal half of every second frame, 32 tracks",
    ),
];
