//! Each op alone, forward and back: by turns with what it is in PyTorch, then by Criterion.

use super::Work;
use super::options::Options;
use crate::process::{Failure, run};
use crate::workspace::Workspace;

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

/// Ours alone, as rows a second.
pub fn alone(workspace: &Workspace, options: &Options) -> Result<(), Failure> {
    for (package, bench) in [("skeleton-kernels", "ops"), ("strl", "inference")] {
        let mut command = workspace.cargo("bench");
        command.args(["--package", package, "--bench", bench, "--", "--quiet"]);
        command.env("RAYON_NUM_THREADS", options.threads.to_string());
        command.env("CANDLE_NUM_THREADS", "1");
        // What `ssl` asks of glibc's allocator itself: freed blocks are kept.
        command.env("MALLOC_MMAP_THRESHOLD_", (32 << 20).to_string());
        command.env("MALLOC_TRIM_THRESHOLD_", i32::MAX.to_string());
        run(&mut command)?;
    }
    Ok(())
}
