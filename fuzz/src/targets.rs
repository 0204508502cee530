//! What is done to bytes of unknown origin: each reader, all the way. A target returns what the reader says of bytes that
//! it refuses, and panics where it takes them and what it gives can't be.
//!
//! Two programs use this file: the fuzz targets beside it and the bounded run of `tests/tests/mutations.rs`.

use std::path::{Path, PathBuf};

use skeleton_data::cache::Cache;
use skeleton_data::raw::RawFile;
use skeleton_data::raw::ntu::{JOINTS, Preset, Recording, choose};
use skeleton_data::{ClipSource, Error, Sequence};
use skeleton_datasets::Dataset;
use skeleton_graph::Layout;

/// Whether the bytes were taken, or why not.
pub type Taken = Result<(), String>;

/// A reader under test.
pub type Target = fn(&[u8]) -> Taken;

/// All of them, by the names of their seeds' folders.
pub const TARGETS: [(&str, Target); 9] = [
    ("pickle", pickle),
    ("ntu", ntu),
    ("npz", npz),
    ("npy", npy),
    ("jsonl", jsonl),
    ("estimates", estimates),
    ("cache", cache),
    ("layout", layout),
    ("datasets", datasets),
];

/// An annotation pickle: every clip is decoded.
pub fn pickle(bytes: &[u8]) -> Taken {
    every_clip("clips.pkl", bytes)
}

/// A `.skeleton` text, and the people in it.
pub fn ntu(bytes: &[u8]) -> Taken {
    let read = Recording::parse(Path::new("S001C001P001R001A001.skeleton"), bytes).map_err(said)?;
    for body in &read.bodies {
        assert_eq!(
            body.seen.len(),
            body.poses.len(),
            "a pose for each sighting"
        );
        assert!(body.seen.iter().all(|seen| seen.frame < read.frames));
        assert!(
            body.poses
                .as_flattened()
                .as_flattened()
                .iter()
                .all(|x| x.is_finite())
        );
    }
    for preset in [Preset::Pyskl, Preset::Sensor] {
        if let (Ok(people), _) = choose(&read, &preset.into()) {
            let numbers = people.persons * people.frames * JOINTS * 3;
            assert_eq!(people.keypoints.view().len(), numbers);
        }
    }
    Ok(())
}

/// An archive of arrays: every clip is read.
pub fn npz(bytes: &[u8]) -> Taken {
    every_clip("clips.npz", bytes)
}

/// An array of clips: every clip is read.
pub fn npy(bytes: &[u8]) -> Taken {
    every_clip("clips.npy", bytes)
}

/// JSON lines: every clip is read.
pub fn jsonl(bytes: &[u8]) -> Taken {
    every_clip("clips.jsonl", bytes)
}

/// The JSON of a pose estimator: the clip is put together.
pub fn estimates(bytes: &[u8]) -> Taken {
    every_clip("clip.json", bytes)
}

/// A file of clips in memory: its layout and every clip are read.
fn every_clip(name: &str, bytes: &[u8]) -> Taken {
    let file = RawFile::from_bytes(Path::new(name), bytes.to_vec()).map_err(said)?;
    file.layout().map_err(said)?;
    let mut clips = 0;
    file.each(|clip| {
        clips += 1;
        sound(&clip)
    })
    .map_err(said)?;
    assert_eq!(clips, file.len());
    Ok(())
}

/// A cache: opened, verified, read.
pub fn cache(bytes: &[u8]) -> Taken {
    // HDF5 reads files only. Where the system has one, a folder in memory spares the disk.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    let thread = format!("{:?}", std::thread::current().id());
    let number: String = thread.chars().filter(char::is_ascii_digit).collect();
    let file = Removed(folder.join(format!("ssl-fuzz-{}-{number}.h5", std::process::id())));
    std::fs::write(&file.0, bytes).expect("a temporary folder that can be written to");
    let cache = Cache::open(&file.0).map_err(said)?;
    cache.verify().map_err(said)?;
    for index in 0..cache.len() {
        sound(&cache.sequence(index).map_err(said)?).map_err(said)?;
    }
    Ok(())
}

/// The text of a layout: what is taken comes back from its own text.
pub fn layout(bytes: &[u8]) -> Taken {
    let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    let layout = Layout::from_toml(text, "layout.toml").map_err(|e| e.to_string())?;
    let again =
        Layout::from_toml(&layout.to_toml(), "again.toml").expect("what was written is read");
    assert_eq!(layout, again);
    assert_eq!(layout.mirror().len(), layout.len());
    Ok(())
}

/// The facts of a data set.
pub fn datasets(bytes: &[u8]) -> Taken {
    let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    let set = Dataset::from_toml("toy", text).map_err(|e| e.to_string())?;
    assert!((2..=3).contains(&set.coordinates));
    Ok(())
}

/// A file that goes away with the value.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        // Nothing depends on it.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn said(error: Error) -> String {
    error.to_string()
}

/// A clip that a reader gave: its arrays have its shape, and every number is one.
fn sound(clip: &Sequence) -> Result<(), Error> {
    clip.check(clip.joints)?;
    assert!(clip.is_finite(), "{}: numbers that are none", clip.id);
    Ok(())
}
