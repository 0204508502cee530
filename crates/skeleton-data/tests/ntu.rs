//! The people found in generated recordings, bit for bit those that an implementation of the rules on numpy finds.

mod common;
mod recordings;

use std::collections::BTreeMap;
use std::path::Path;

use common::python;
use half::f16;
use sha2::{Digest, Sha256};
use skeleton_data::Values;
use skeleton_data::raw::ntu::{Preset, Recording, Rules, choose};

/// Recordings compared with Python where it is there.
const MANY: usize = 400;
/// What the Python found in the first of them: `tests/reference/ntu_bodies.py` prints it.
const FOUND: &str = include_str!("data/ntu_people.txt");

fn script() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference/ntu_bodies.py")
}

fn name(number: usize) -> String {
    format!("S001C001P001R001A{number:03}")
}

/// What we find, as the script prints it.
fn found(number: usize, seen: &mut BTreeMap<String, usize>) -> String {
    let name = name(number);
    let text = recordings::text(number);
    let recording = Recording::parse(Path::new(&name), text.as_bytes()).unwrap();
    let (people, log) = choose(&recording, &Rules::from(Preset::Pyskl));
    for decision in log {
        let kind = format!("{decision:?}");
        let kind = kind.split([' ', '{']).next().unwrap_or_default().to_owned();
        *seen.entry(kind).or_default() += 1;
    }
    let people = match people {
        Ok(people) => people,
        Err(skip) => {
            *seen.entry(format!("{skip:?}")).or_default() += 1;
            return format!("{name} {}", skip.words());
        }
    };
    let Values::F16(numbers) = &people.keypoints else {
        panic!("pyskl stores half precision")
    };
    let bytes: Vec<u8> = numbers.iter().copied().flat_map(f16::to_le_bytes).collect();
    let hash: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{name} {} {} {hash}", people.persons, people.frames)
}

#[test]
fn people_are_those_found_before() {
    let mut seen = BTreeMap::new();
    for (number, expected) in FOUND.lines().enumerate() {
        assert_eq!(found(number, &mut seen), expected);
    }
    assert!(FOUND.lines().count() >= 60);
}

#[test]
fn people_are_those_that_numpy_finds() {
    let Some(mut python) = python("numpy") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for number in 0..MANY {
        let path = folder.path().join(name(number) + ".skeleton");
        std::fs::write(path, recordings::text(number)).unwrap();
    }
    let output = python.arg(script()).arg(folder.path()).output().unwrap();
    let theirs = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(theirs.lines().count(), MANY);
    assert!(
        theirs.starts_with(FOUND),
        "data/ntu_people.txt is not what the script prints"
    );
    let mut seen = BTreeMap::new();
    for (number, theirs) in theirs.lines().enumerate() {
        assert_eq!(found(number, &mut seen), theirs);
    }
    // Every rule decided something.
    for kind in [
        "EmptyFrames",
        "GapsClosed",
        "Short",
        "Noisy",
        "MotionOverCleanFrames",
        "Placed",
        "NoSlot",
        "Trimmed",
        "Swapped",
        "NoBodyLeft",
    ] {
        assert!(
            seen.get(kind).is_some_and(|&count| count >= 3),
            "{kind}: {seen:?}"
        );
    }
}
