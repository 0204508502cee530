//! Each op alone, by Criterion.

use super::options::Options;
use crate::process::{Failure, run};
use crate::workspace::Workspace;

pub fn bench(workspace: &Workspace, options: &Options) -> Result<(), Failure> {
    for package in ["skeletonmae", "strl"] {
        let mut command = workspace.cargo("bench");
        command.args(["--package", package, "--bench", "ops", "--", "--quiet"]);
        command.env("RAYON_NUM_THREADS", options.threads.to_string());
        command.env("CANDLE_NUM_THREADS", "1");
        // What `ssl` asks of glibc's allocator itself: freed blocks are kept.
        command.env("MALLOC_MMAP_THRESHOLD_", (32 << 20).to_string());
        command.env("MALLOC_TRIM_THRESHOLD_", i32::MAX.to_string());
        run(&mut command)?;
    }
    Ok(())
}
