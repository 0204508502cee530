//! Recordings that can't be read: damaged, elsewhere, or not what they say.

mod recordings;

use std::path::PathBuf;

use recordings::places::{NAMES, archive, files, inside, preparation, read, write};
use skeleton_data::raw::ntu::{Edition, FileLog, Preparation};
use zip::CompressionMethod;

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
    // A smaller one that no recording packs to.
    let packed = folder.path().join("packed.zip");
    let lines = "0\n".repeat(4 << 20);
    archive(
        &packed,
        &[(name.clone(), lines)],
        CompressionMethod::Deflated,
    );
    refused(
        &[packed],
        &[
            &name,
            "expected at most 32 times the",
            "found 8388608 bytes",
        ],
    );
    // The first archive, which says that the entry has 1,000 bytes, in its directory and before the entry.
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
