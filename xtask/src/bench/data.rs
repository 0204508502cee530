//! Reading data: what is measured against which stand-in.

use super::Section;

/// The sections of `cargo xtask bench data`.
pub const SECTIONS: [Section; 4] = [
    Section {
        name: "raw",
        title: "parse 2,000 generated .skeleton files of 1 to 4 bodies and 30 to 300 frames (the stand-in: every tenth)",
        example: ["skeleton-data", "bench_raw"],
        script: ["bench_raw.py", "numpy"],
        goal: 30.0,
    },
    Section {
        name: "pickle",
        title: "500 MB of annotations in a protocol 2 pickle become a cache, hashing and fsync apart (the stand-in: pickle.load alone)",
        example: ["skeleton-data", "bench_pickle"],
        script: ["bench_pickle.py", "numpy"],
        goal: 1.0,
    },
    Section {
        name: "batches-3d",
        title: "training batches of 16 clips from a cache: two people, 25 joints, 50 to 200 frames, to 64 (the stand-in: every fourth)",
        example: ["skeleton-data", "bench_batches"],
        script: ["bench_batches.py", "numpy"],
        goal: 20.0,
    },
    Section {
        name: "batches-2d",
        title: "the same of two people, 17 joints with scores",
        example: ["skeleton-data", "bench_batches"],
        script: ["bench_batches.py", "numpy"],
        goal: 20.0,
    },
];
