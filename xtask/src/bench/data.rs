//! Reading data: what is measured against which stand-in.

use super::Section;

/// The sections of `cargo xtask bench data`.
pub const SECTIONS: [Section; 2] = [
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
];
