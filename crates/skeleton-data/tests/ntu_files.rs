//! Recordings in folders and archives: what is found, in which order, and what is refused.

mod common;
mod recordings;

use std::io::Write;
use std::path::{Path, PathBuf};

use skeleton_data::raw::ntu::{Edition, FileLog, Files, Outcome, Preparation, Preset, Skip};
use skeleton_data::{Error, Sequence};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

fn preparation(edition: Edition) -> Preparation {
    Preparation {
        edition,
        rules: Preset::Pyskl.into(),
        skip_unreadable: false,
        threads: 1,
    }
}

/// Names that differ in setup, camera, person and action; one is listed as missing, one is an action of NTU 120.
const NAMES: [&str; 6] = [
    "S001C002P001R001A002",
    "S001C001P003R002A001",
    "S001C002P005R002A008",
    "S018C003P008R001A061",
    "S002C001P003R001A060",
    "S001C001P001R001A001",
];
const MISSING: &str = "S001C002P005R002A008";

fn files() -> Vec<(String, String)> {
    let file =
        |(number, name): (usize, &&str)| (format!("{name}.skeleton"), recordings::text(number + 1));
    NAMES.iter().enumerate().map(file).collect()
}

fn archive(path: &Path, files: &[(String, String)], method: CompressionMethod) {
    let mut archive = ZipWriter::new(std::fs::File::create(path).unwrap());
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, text) in files {
        archive.start_file(name.as_str(), options).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap();
}

fn inside(folder: &str, files: &[(String, String)]) -> Vec<(String, String)> {
    let file = |(name, text): &(String, String)| (format!("{folder}/{name}"), text.clone());
    files.iter().map(file).collect()
}

fn write(folder: &Path, files: &[(String, String)]) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// Everything that comes of these inputs.
fn read(
    inputs: &[PathBuf],
    preparation: &Preparation,
) -> Result<(Vec<Sequence>, Vec<FileLog>, serde_json::Value), Error> {
    let files = Files::open(inputs)?;
    let mut clips = files.clips(preparation)?;
    let (mut sequences, mut logs) = (Vec::new(), Vec::new());
    for prepared in &mut clips {
        let prepared = prepared?;
        sequences.extend(prepared.clip);
        logs.push(prepared.log);
    }
    let source = clips.source();
    Ok((sequences, logs, source))
}

#[test]
fn folders_and_archives_give_the_same_clips_in_the_order_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let (flat, deep) = (folder.path().join("flat"), folder.path().join("deep"));
    write(&flat, &files());
    write(
        &flat,
        &[
            ("readme.txt".into(), String::new()),
            ("._S001C001P001R001A001.skeleton".into(), "x".into()),
        ],
    );
    let (one, two) = (files()[..3].to_vec(), files()[3..].to_vec());
    write(&deep, &inside("a/b", &one));
    write(&deep, &inside("c", &two));
    let zip = folder.path().join("all.zip");
    let shadow = (
        "__MACOSX/._S001C001P001R001A001.skeleton".to_owned(),
        "x".to_owned(),
    );
    archive(
        &zip,
        &[inside("nturgb+d_skeletons", &files()), vec![shadow]].concat(),
        CompressionMethod::Deflated,
    );
    let stored = folder.path().join("some.zip");
    archive(&stored, &one, CompressionMethod::Stored);
    let rest = folder.path().join("rest");
    write(&rest, &two);

    let expected = read(&[flat], &preparation(Edition::Ntu120)).unwrap();
    let names: Vec<&str> = expected.1.iter().map(|log| &*log.sample).collect();
    let mut sorted = NAMES;
    sorted.sort_unstable();
    assert_eq!(names, sorted);
    assert!(expected.0.len() >= 4);
    for inputs in [vec![deep], vec![zip], vec![stored, rest]] {
        for threads in [1, 3] {
            let preparation = Preparation {
                threads,
                ..preparation(Edition::Ntu120)
            };
            let found = read(&inputs, &preparation).unwrap();
            assert_eq!(
                (&found.0, &found.1),
                (&expected.0, &expected.1),
                "{inputs:?}"
            );
        }
    }
    let clip = expected
        .0
        .iter()
        .find(|clip| clip.id == "S002C001P003R001A060")
        .unwrap();
    assert_eq!(
        (clip.label, clip.subject, clip.camera, clip.setup),
        (Some(59), Some(3), Some(1), Some(2))
    );
    assert_eq!(
        (clip.joints, clip.coordinates, clip.scores.is_none()),
        (25, 3, true)
    );
    clip.check(25).unwrap();
}

#[test]
fn files_of_other_actions_and_those_listed_as_missing_are_not_even_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = files();
    for (name, text) in &mut files {
        if name.starts_with(MISSING) || name.contains("A061") {
            *text = "damaged".into();
        }
    }
    write(folder.path(), &files);
    let (clips, logs, source) =
        read(&[folder.path().into()], &preparation(Edition::Ntu60)).unwrap();
    let skipped = |name: &str| &logs.iter().find(|log| log.sample == name).unwrap().outcome;
    assert_eq!(*skipped(MISSING), Outcome::Skipped(Skip::ListedAsMissing));
    assert_eq!(
        *skipped("S018C003P008R001A061"),
        Outcome::Skipped(Skip::OtherAction)
    );
    assert_eq!(clips.len(), 4);
    assert_eq!(source["files"][0]["samples"], 4);
    assert_eq!(source["rules"]["bodies"]["min_frames"], 12);
}

#[test]
fn the_source_is_one_hash_over_the_list_that_sha256sum_prints() {
    use sha2::{Digest, Sha256};
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &files());
    let zip = folder.path().join("a.zip");
    archive(&zip, &files(), CompressionMethod::Deflated);
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let mut sorted: Vec<_> = files()
        .into_iter()
        .filter(|(name, _)| !name.starts_with(MISSING))
        .collect();
    sorted.sort();
    let line =
        |(name, text): &(String, String)| format!("{}  {name}\n", hex(&Sha256::digest(text)));
    let list: String = sorted.iter().map(line).collect();
    let expected = hex(&Sha256::digest(list));
    for input in [folder.path().to_owned(), zip] {
        let source = read(&[input], &preparation(Edition::Ntu120)).unwrap().2;
        assert_eq!(source["files"][0]["sha256_of_list"], *expected);
    }
}

#[test]
fn a_damaged_file_stops_or_is_skipped_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &files());
    let damaged = folder.path().join("S001C001P003R002A001.skeleton");
    std::fs::write(&damaged, "2\n1\n7 0 1\n").unwrap();
    let message = read(&[folder.path().into()], &preparation(Edition::Ntu120))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("S001C001P003R002A001.skeleton: line 3: expected a body"),
        "{message}"
    );
    let skipping = Preparation {
        skip_unreadable: true,
        ..preparation(Edition::Ntu120)
    };
    let (_, logs, source) = read(&[folder.path().into()], &skipping).unwrap();
    let log = logs
        .iter()
        .find(|log| log.sample == "S001C001P003R002A001")
        .unwrap();
    let line = serde_json::to_string(log).unwrap();
    assert!(line.starts_with(r#"{"sample":"S001C001P003R002A001","outcome":"skipped","reason":"unreadable","message":""#), "{line}");
    assert_eq!(serde_json::from_str::<FileLog>(&line).unwrap(), *log);
    assert_eq!(source["rules"]["unreadable"], "skipped");
}

fn refused(inputs: &[PathBuf], parts: &[&str]) {
    let message = read(inputs, &preparation(Edition::Ntu120))
        .unwrap_err()
        .to_string();
    for part in parts {
        assert!(message.contains(part), "{message} should say {part}");
    }
}

#[test]
fn inputs_that_are_no_recordings_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    refused(&[at("nowhere")], &["nowhere"]);
    std::fs::create_dir(at("empty")).unwrap();
    refused(
        &[at("empty")],
        &["empty: expected files named *.skeleton, found none"],
    );
    std::fs::write(at("text.zip"), "no archive").unwrap();
    refused(
        &[at("text.zip")],
        &["text.zip: expected a folder, a zip archive or a .skeleton file"],
    );
    write(&at("odd"), &[("S1C1.skeleton".into(), String::new())]);
    refused(
        &[at("odd")],
        &["expected a name like S001C001P001R001A001.skeleton, found S1C1.skeleton"],
    );
    let twice = files()[..1].to_vec();
    write(&at("twice"), &inside("a", &twice));
    write(&at("twice"), &inside("b", &twice));
    refused(
        &[at("twice")],
        &[
            "expected a sample in one file only",
            "S001C002P001R001A002.skeleton",
        ],
    );
}

#[test]
fn an_entry_that_is_larger_than_it_says_or_than_any_recording_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let zip = folder.path().join("bomb.zip");
    let name = "S001C001P001R001A001.skeleton".to_owned();
    let zeros = "0".repeat(65 << 20);
    archive(
        &zip,
        &[(name.clone(), zeros.clone())],
        CompressionMethod::Deflated,
    );
    assert!(std::fs::metadata(&zip).unwrap().len() < 100_000);
    refused(
        std::slice::from_ref(&zip),
        &["expected at most 67108864 bytes, found 68157440 bytes"],
    );
    // The same archive, which says that the entry has 1,000 bytes, in its directory and before the entry.
    let mut bytes = std::fs::read(&zip).unwrap();
    let (whole, less) = (68_157_440u32.to_le_bytes(), 1_000u32.to_le_bytes());
    let places: Vec<usize> = (0..bytes.len() - 4)
        .filter(|&at| bytes[at..at + 4] == whole)
        .collect();
    assert_eq!(places.len(), 2);
    for at in places {
        bytes[at..at + 4].copy_from_slice(&less);
    }
    std::fs::write(&zip, &bytes).unwrap();
    refused(&[zip], &[&name, "larger than its declared"]);
}

#[test]
fn a_damaged_archive_is_an_error_or_valid_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zip");
    let small = |name: &str| (format!("{name}.skeleton"), recordings::small());
    archive(&path, &NAMES.map(small), CompressionMethod::Deflated);
    let whole = std::fs::read(&path).unwrap();
    let expected = read(std::slice::from_ref(&path), &preparation(Edition::Ntu120))
        .unwrap()
        .0;
    let mut state = 1u64;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    let (mut errors, mut same) = (0, 0);
    for round in 0..2_000 {
        let mut bytes = whole.clone();
        match next(4) {
            0 => bytes.truncate(next(bytes.len())),
            1 => drop(
                bytes
                    .drain(next(whole.len() / 2)..)
                    .take(1 + next(40))
                    .count(),
            ),
            _ => (0..=next(3)).for_each(|_| {
                let at = next(whole.len());
                bytes[at] = next(256) as u8;
            }),
        }
        // A new file each time: the one before may still be mapped.
        let path = folder.path().join(format!("{round}.zip"));
        std::fs::write(&path, &bytes).unwrap();
        match read(std::slice::from_ref(&path), &preparation(Edition::Ntu120)) {
            Err(_) => errors += 1,
            Ok((clips, _, _)) => {
                // A checksum stands over every entry, so what is left is whole, if under another name.
                same += 1;
                assert!(
                    clips
                        .iter()
                        .all(|clip| expected.iter().any(|e| e.keypoints == clip.keypoints))
                );
            }
        }
        std::fs::remove_file(path).unwrap();
    }
    assert!(errors > 500 && same > 20, "{errors} errors, {same} read");
}
