//! Reading against pyskl's way of it, as `tests/reference/pyskl_reading.py` has it in numpy: normalisation, streams and
//! uniform sampling.

mod common;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{all, python};
use skeleton_data::normalize::{Normalization, View};
use skeleton_data::raw::RawFile;
use skeleton_data::reading::{Reading, Tracks, read_clip};
use skeleton_data::sample::{Sampling, uniform};
use skeleton_data::skeleton_graph::Layout;
use skeleton_data::skeleton_graph::random::{Key, Purpose, stream};
use skeleton_data::stream::Stream;

/// Frames of every clip that the script makes.
const FRAMES: usize = 20;

fn script(mut python: Command, arguments: &[&Path], input: &str) -> String {
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference/pyskl_reading.py");
    let mut child = python
        .arg(script)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// The root is its own parent.
fn parents(layout: &Layout) -> Vec<usize> {
    let joints = 0..layout.len();
    joints.map(|j| layout.parent(j).unwrap_or(j)).collect()
}

/// Clips and what reading them gives, in a folder; none where numpy isn't here.
fn reference() -> Option<tempfile::TempDir> {
    let python = python("numpy")?;
    let folder = tempfile::tempdir().unwrap();
    let of = |name| parents(&Layout::built_in(name).unwrap());
    let parents = serde_json::json!({ "ntu25": of("ntu25"), "coco17": of("coco17") });
    script(
        python,
        &["clips".as_ref(), folder.path()],
        &parents.to_string(),
    );
    Some(folder)
}

/// How often a joint was compared, and how often it is missing.
#[derive(Default)]
struct Compared {
    present: usize,
    absent: usize,
}

/// Our tracks against theirs, whose person axis holds every stored person.
fn compare(ours: &Tracks, theirs: &[f32], what: &str, compared: &mut Compared) {
    let c = ours.coordinates;
    let joints = ours.keypoints.chunks(c).zip(theirs.chunks(c));
    for (row, ((ours, theirs), &there)) in joints.zip(&ours.presence).enumerate() {
        if there == 0.0 {
            compared.absent += 1;
            assert!(
                ours.iter().all(|&x| x == 0.0),
                "{what}, row {row}: {ours:?}"
            );
            continue;
        }
        compared.present += 1;
        for (a, b) in ours.iter().zip(theirs) {
            assert!(
                (a - b).abs() < 2e-6,
                "{what}, row {row}: {ours:?} {theirs:?}"
            );
        }
    }
}

fn check(folder: &Path, layout: &str, reading: Reading) {
    let file = RawFile::open(&folder.join(format!("{layout}.pkl"))).unwrap();
    let clips = all(&file);
    let layout = Layout::built_in(layout).unwrap();
    for stream in [
        Stream::Joint,
        Stream::Bone,
        Stream::JointMotion,
        Stream::BoneMotion,
    ] {
        let path: PathBuf = folder.join(format!("{}.{}", layout.name(), stream.name()));
        let numbers: Vec<f32> = std::fs::read(path)
            .unwrap()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        let reading = Reading {
            stream,
            ..reading.clone()
        };
        let (mut rest, mut compared) = (&numbers[..], Compared::default());
        for clip in &clips {
            let tracks = read_clip(&clip.view(), &layout, &reading, None).unwrap();
            let stored = clip.persons * FRAMES * clip.joints * clip.coordinates;
            assert!(tracks.keypoints.len() <= stored);
            let what = format!("{} {} {}", layout.name(), stream.name(), clip.id);
            compare(&tracks, rest, &what, &mut compared);
            rest = &rest[stored..];
        }
        assert!(rest.is_empty());
        let Compared { present, absent } = compared;
        assert!(present > 2 * absent && absent > 0, "{present} {absent}");
    }
}

#[test]
fn normalisation_and_streams_are_pyskls() {
    let Some(folder) = reference() else {
        return;
    };
    let uniform = Reading {
        frames: FRAMES,
        sampling: Sampling::Uniform,
        ..Reading::default()
    };
    let view = Reading {
        normalization: Normalization::View(View::default()),
        ..uniform.clone()
    };
    check(folder.path(), "ntu25", view);
    let image = Reading {
        normalization: Normalization::Image,
        score_threshold: 0.01,
        ..uniform
    };
    check(folder.path(), "coco17", image);
}

#[test]
fn uniform_sampling_by_the_same_draws_is_pyskls() {
    let Some(python) = python("numpy") else {
        return;
    };
    let (mut cases, mut ours) = (String::new(), String::new());
    let mut rng = stream(2, Purpose::Sample, 0, Key::None);
    for (frames, samples) in [
        (1, 4),
        (7, 16),
        (16, 16),
        (17, 16),
        (31, 16),
        (32, 16),
        (33, 16),
        (300, 64),
    ] {
        for _ in 0..20 {
            let (mut draws, mut picked) = (Vec::new(), Vec::new());
            let mut below = |n: usize| {
                use rand::RngCore as _;
                draws.push(rng.next_u32() as usize % n);
                draws[draws.len() - 1]
            };
            uniform::random(frames, samples, &mut below, &mut picked);
            let words = |numbers: &[usize]| {
                let words: Vec<String> = numbers.iter().map(usize::to_string).collect();
                words.join(" ")
            };
            cases += &format!("{frames} {samples} {}\n", words(&draws));
            ours += &format!("{}\n", words(&picked));
        }
    }
    assert_eq!(script(python, &["frames".as_ref()], &cases), ours);
}
