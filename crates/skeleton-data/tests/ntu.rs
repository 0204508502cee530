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
const MANY: usize = 250;
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

/// Recordings, cache, h5py: the arrays that come out are those that the script makes of the recordings.
#[cfg(feature = "hdf5")]
#[test]
fn h5py_finds_the_people_in_the_cache() {
    use skeleton_data::Units;
    use skeleton_data::cache::{Cache, CacheHeader, CacheWriter};
    use skeleton_data::raw::ntu::{Edition, Files, Preparation};
    use skeleton_data::skeleton_graph::Layout;

    let Some(mut python) = python("h5py, numpy") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (raw, path) = (folder.path().join("raw"), folder.path().join("c.h5"));
    std::fs::create_dir(&raw).unwrap();
    // Action 0 is none.
    for number in 1..FOUND.lines().count() {
        std::fs::write(
            raw.join(name(number) + ".skeleton"),
            recordings::text(number),
        )
        .unwrap();
    }
    let files = Files::open(&[raw]).unwrap();
    let preparation = Preparation {
        edition: Edition::Ntu120,
        rules: Preset::Pyskl.into(),
        skip_unreadable: false,
        threads: 2,
    };
    let header = CacheHeader {
        dataset: "ntu120_3d".into(),
        layout: Layout::built_in("ntu25").unwrap(),
        units: Units::Metre,
        source: serde_json::Value::Null,
        classes: (0..120).map(|class| class.to_string()).collect(),
        created_by: "tests".into(),
    };
    let mut writer = CacheWriter::create(&path, header).unwrap();
    let mut clips = files.clips(&preparation).unwrap();
    for prepared in &mut clips {
        if let Some(clip) = prepared.unwrap().clip {
            writer.push(&clip).unwrap();
        }
    }
    writer.set_source(clips.source());
    writer
        .finish(&Edition::Ntu120.splits(files.names()))
        .unwrap();
    assert_eq!(*Cache::open(&path).unwrap().source(), clips.source());
    let script = r#"
import h5py, hashlib, sys
f = h5py.File(sys.argv[1])
s, k = f["samples"], f["keypoints"]
assert k.dtype == "<f2" and f.attrs["units"] == "metre"
ids = list(s["id"].asstr()[:])
for i, (o, m, t) in enumerate(zip(s["offset"][:], s["persons"][:], s["frames"][:])):
    print(ids[i], m, t, hashlib.sha256(k[int(o):int(o) + int(m) * int(t)].tobytes()).hexdigest())
    assert (s["label"][i], s["subject"][i], s["camera"][i], s["setup"][i]) == (int(ids[i][-3:]) - 1, 1, 1, 1)
assert [ids[i] for i in f["splits/xsub_train"][:]] == ids and len(f["splits/xset_train"]) == 0
"#;
    let found = common::run(&mut python, script, &[&path]);
    let expected: Vec<&str> = FOUND
        .lines()
        .skip(1)
        .filter(|line| !line.contains("without"))
        .collect();
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
}
