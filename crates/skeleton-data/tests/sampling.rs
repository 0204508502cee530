//! Real clips read as the yardstick's `load_clips` reads them.

mod common;

use std::path::Path;

use common::{all, python, run, shared};
use skeleton_data::raw::RawFile;
use skeleton_data::reading::{Reading, read_clip};
use skeleton_data::skeleton_graph::Layout;

/// torch_ssl's reading of every clip of a split, as f32 little endian, in the order of the ids.
const LOAD: &str = r#"
import pickle, sys
sys.path.insert(0, sys.argv[1])
import torch_ssl
d = pickle.load(open(sys.argv[2], "rb"))
clips = sorted(d["annotations"], key=lambda a: a["frame_dir"])
x, y, labels = torch_ssl.load_clips([a["keypoint"][0] for a in clips], [a["label"] for a in clips])
open(sys.argv[3], "wb").write(x.numpy().tobytes())
"#;

/// The largest difference over all clips whose joints are all present; torch_ssl takes absent ones for points at 0.
fn largest_difference(file: &str, layout: &str) -> Option<f32> {
    let (data, mut python) = (shared(file)?, python("torch, numpy")?);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("x.bin");
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference");
    run(
        python.env("PYTHONDONTWRITEBYTECODE", "1"),
        LOAD,
        &[&reference, &data, &out],
    );
    let bytes = std::fs::read(out).unwrap();
    let mut expected = bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));

    let layout = Layout::built_in(layout).unwrap();
    let mut clips = all(&RawFile::open(&data).unwrap());
    clips.sort_by(|a, b| a.id.cmp(&b.id));
    let (mut largest, mut compared) = (0.0f32, 0);
    for clip in &clips {
        let tracks = read_clip(&clip.view(), &layout, &Reading::default(), None).unwrap();
        assert_eq!(tracks.tracks, 1);
        let theirs: Vec<f32> = expected.by_ref().take(tracks.keypoints.len()).collect();
        let view = clip.view();
        let joint = |at: usize| {
            (0..clip.coordinates).map(move |c| view.keypoints.get(at * clip.coordinates + c))
        };
        if (0..clip.frames * clip.joints).any(|at| joint(at).all(|x| x == 0.0)) {
            continue;
        }
        compared += 1;
        for (ours, theirs) in tracks.keypoints.iter().zip(theirs) {
            largest = largest.max((ours - theirs).abs());
        }
    }
    assert_eq!(expected.next(), None);
    assert!(
        compared * 100 > clips.len() * 98,
        "{compared} of {}",
        clips.len()
    );
    Some(largest)
}

#[test]
fn jhmdb_reads_as_in_the_yardstick() {
    if let Some(largest) = largest_difference("jhmdb14.pkl", "jhmdb15") {
        assert!(largest < 1e-5, "{largest}");
    }
}

#[test]
fn nw_ucla_reads_as_in_the_yardstick() {
    if let Some(largest) = largest_difference("nw_ucla.pkl", "ucla20") {
        assert!(largest < 1e-5, "{largest}");
    }
}
