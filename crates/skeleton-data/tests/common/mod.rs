//! What the tests of this crate share.
#![allow(dead_code, unused_imports, reason = "each test file uses some of it")]

use std::path::{Path, PathBuf};
use std::process::Command;

use half::f16;
use skeleton_data::raw::{RawFile, RawFiles};
use skeleton_data::skeleton_graph::Layout;
use skeleton_data::{Error, Sequence, Values};

pub type Splits = Vec<(String, Vec<String>)>;

/// Four joints, so that a cache stays small enough to damage each of its bytes.
pub fn layout() -> Layout {
    let text = r#"
        name = "tiny"
        joints = ["head", "chest", "left", "right"]
        edges = [[0, 1], [2, 1], [3, 1]]
        flips = [[2, 3]]
        origin = [1]
        parts = [{ name = "top", joints = [0, 1] }, { name = "sides", joints = [2, 3] }]
    "#;
    Layout::from_toml(text, "tests").unwrap()
}

/// A clip of the tiny layout; its numbers depend on its id only.
pub fn clip(
    id: &str,
    label: Option<u32>,
    persons: usize,
    frames: usize,
    coordinates: usize,
) -> Sequence {
    let joints = persons * frames * 4;
    let mut state = id.bytes().fold(7u32, |state, byte| {
        state.wrapping_mul(31).wrapping_add(byte.into())
    });
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f16::from_f32((state >> 16) as f32 / 65_536.0 - 0.5)
    };
    Sequence {
        id: id.into(),
        label,
        persons,
        frames,
        joints: 4,
        coordinates,
        keypoints: Values::F16((0..joints * coordinates).map(|_| next()).collect()),
        scores: Some(Values::F16((0..joints).map(|_| next()).collect())),
        image: Some((1080, 1920)),
        subject: Some(3),
        camera: None,
        setup: Some(1),
    }
}

/// The same clip in single precision.
pub fn single(mut clip: Sequence) -> Sequence {
    clip.keypoints = wide(&clip.keypoints);
    clip.scores = clip.scores.as_ref().map(wide);
    clip
}

fn wide(values: &Values) -> Values {
    let numbers = values.view();
    Values::F32((0..numbers.len()).map(|i| numbers.get(i)).collect())
}

/// Real data of the workspace, where it is.
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data")
        .join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {name} is not here");
    None
}

/// A Python with the packages asked for, named by SSL_TEST_PYTHON or found as python3.
pub fn python(packages: &str) -> Option<Command> {
    let name = std::env::var("SSL_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let found = Command::new(&name)
        .args(["-c", &format!("import {packages}")])
        .output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(Command::new(name));
    }
    eprintln!("skipped: no Python with {packages} (SSL_TEST_PYTHON names one)");
    None
}

/// Runs a script and fails with what it printed.
pub fn run(command: &mut Command, script: &str, arguments: &[&Path]) -> String {
    // A process that another test is just starting still has the files that this one has closed, and with them their locks.
    let output = command
        .env("HDF5_USE_FILE_LOCKING", "FALSE")
        .arg("-c")
        .arg(script)
        .args(arguments)
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{script}\n{out}\n{err}");
    out.into_owned()
}

/// Opens a pickle from memory.
pub fn open(bytes: &[u8]) -> Result<RawFile, Error> {
    RawFile::from_bytes(Path::new("clips.pkl"), bytes.to_vec())
}

/// All clips of a file.
pub fn all(file: &RawFile) -> Vec<Sequence> {
    let mut clips = Vec::new();
    let kept = file.each(|clip| {
        clips.push(clip);
        Ok::<(), Error>(())
    });
    kept.unwrap();
    assert_eq!(clips.len(), file.len());
    clips
}

/// All clips of files.
pub fn all_of(files: &RawFiles) -> Vec<Sequence> {
    let mut clips = Vec::new();
    let kept = files.each(|clip| {
        clips.push(clip);
        Ok::<(), Error>(())
    });
    kept.unwrap();
    assert_eq!(clips.len(), files.len());
    clips
}

/// Fails unless a pickle is refused, with all these words.
pub fn refused(bytes: &[u8], expected: &[&str]) {
    let message = open(bytes).err().expect("should be refused").to_string();
    for part in expected.iter().chain(&["clips.pkl"]) {
        assert!(message.contains(part), "{message} should say {part}");
    }
}

/// Writes a pickle with Python: `body` sets `data`.
pub fn dumped(body: &str, protocol: u8) -> Option<Vec<u8>> {
    dumped_all(&[body.to_owned()], protocol)?.pop()
}

/// Writes a pickle for each body, in one Python.
pub fn dumped_all(bodies: &[String], protocol: u8) -> Option<Vec<Vec<u8>>> {
    let mut python = python("numpy")?;
    let folder = tempfile::tempdir().unwrap();
    let mut script = "import pickle, sys, numpy as np, collections\n".to_owned();
    for (index, body) in bodies.iter().enumerate() {
        script += body;
        script +=
            &format!("\npickle.dump(data, open(sys.argv[1] + '/{index}', 'wb'), {protocol})\n");
    }
    run(&mut python, &script, &[folder.path()]);
    let read = |index| std::fs::read(folder.path().join(format!("{index}"))).unwrap();
    Some((0..bodies.len()).map(read).collect())
}

/// What scripts for [`dumped`] begin with.
pub const CLIPS: &str = "
k = ((np.arange(2 * 3 * 4 * 2) * 7 % 256) / 8).reshape(2, 3, 4, 2)
def clip(i, k, **more):
    return dict(dict(frame_dir=f'clip{i}', label=i, total_frames=k.shape[1], keypoint=k), **more)
";

#[cfg(feature = "hdf5")]
pub use with_cache::*;

#[cfg(feature = "hdf5")]
mod with_cache {
    use super::*;
    use skeleton_data::cache::{Cache, CacheHeader, CacheSummary, CacheWriter};
    use skeleton_data::{ClipSource, Units};

    pub fn header() -> CacheHeader {
        CacheHeader {
            dataset: "tiny".into(),
            layout: layout(),
            units: Units::Pixel,
            source: serde_json::json!({ "files": [], "rules": { "from": "a test" } }),
            classes: vec!["sit".into(), "ständ".into()],
            created_by: "tests 1".into(),
        }
    }

    pub fn splits() -> Splits {
        let split = |name: &str, ids: &[&str]| {
            (
                name.to_owned(),
                ids.iter().map(|id| (*id).to_owned()).collect(),
            )
        };
        vec![split("train", &["b", "a"]), split("test", &["ç"])]
    }

    pub fn clips() -> Vec<Sequence> {
        vec![
            clip("a", Some(0), 1, 3, 2),
            clip("b", Some(1), 2, 2, 2),
            clip("ç", None, 1, 1, 2),
        ]
    }

    pub fn write(path: &Path, clips: &[Sequence], splits: &Splits) -> CacheSummary {
        write_as(path, clips, splits, false)
    }

    pub fn write_as(
        path: &Path,
        clips: &[Sequence],
        splits: &Splits,
        compress: bool,
    ) -> CacheSummary {
        let mut writer = CacheWriter::create(path, header()).unwrap();
        if compress {
            writer.compress();
        }
        for clip in clips {
            writer.push(clip).unwrap();
        }
        writer.finish(splits).unwrap()
    }

    /// Fails unless a cache holds exactly these clips.
    pub fn assert_holds(cache: &Cache, clips: &[Sequence]) {
        assert_eq!(cache.len(), clips.len());
        for (index, clip) in clips.iter().enumerate() {
            let view = cache.clip(index).unwrap();
            let expected = clip.view();
            assert_eq!(
                (view.id, view.label, view.image),
                (expected.id, expected.label, expected.image)
            );
            assert_eq!(
                (view.persons, view.frames, view.joints),
                (expected.persons, expected.frames, expected.joints)
            );
            assert_eq!(view.coordinates, expected.coordinates);
            assert_eq!(view.keypoints, expected.keypoints, "{}", clip.id);
            assert_eq!(view.scores, expected.scores, "{}", clip.id);
            let info = cache.sample(index);
            assert_eq!(
                (info.subject, info.camera, info.setup),
                (clip.subject, clip.camera, clip.setup)
            );
        }
    }
}
