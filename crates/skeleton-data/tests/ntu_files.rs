//! Recordings in folders and archives: what is found, and in which order.

mod recordings;

use recordings::places::{MISSING, NAMES, archive, files, inside, preparation, read, write};
use skeleton_data::raw::ntu::{Edition, Files, Outcome, Preparation, Skip};
use zip::CompressionMethod;

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
fn marks_of_windows_and_lower_case_change_nothing_and_copies_can_be_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, windows) = (folder.path().join("plain"), folder.path().join("windows"));
    write(&plain, &files());
    let renamed = files().into_iter().map(|(name, text)| {
        let text = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        (name.to_ascii_lowercase(), text)
    });
    write(&windows, &renamed.collect::<Vec<_>>());
    let preparation = preparation(Edition::Ntu120);
    let expected = read(&[plain], &preparation).unwrap();
    let found = read(std::slice::from_ref(&windows), &preparation).unwrap();
    assert_eq!((&found.0, &found.1), (&expected.0, &expected.1));

    let copy = "S001C001P001R001A001 (1).skeleton";
    write(&windows, &[(copy.to_owned(), "x".to_owned())]);
    let refused = Files::open(&[&windows]).unwrap_err().to_string();
    assert!(
        refused.contains("found S001C001P001R001A001 (1)"),
        "{refused}"
    );
    let (files, foreign) = Files::open_named(&[&windows]).unwrap();
    assert_eq!(foreign, [windows.join(copy)]);
    assert_eq!(files.len(), NAMES.len());
}
