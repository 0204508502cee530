//! Several files as one set: a file a split, folders, compressed files, lines that come one by one.

mod common;

use std::io::BufReader;
use std::path::{Path, PathBuf};

use common::{all_of, clip, python, run, single};
use skeleton_data::raw::jsonl::{Header, JsonlWriter, LineReader};
use skeleton_data::raw::{Column, Input, Meaning, RawFile, RawFiles};
use skeleton_data::{Error, Sequence};
use tempfile::TempDir;

/// Writes JSON lines of these clips.
fn write(path: &Path, ids: &[&str], splits: &[(&str, &[&str])]) -> Vec<Sequence> {
    let clips: Vec<Sequence> = ids
        .iter()
        .map(|id| single(clip(id, Some(0), 1, 2, 2)))
        .collect();
    let mut writer = JsonlWriter::create(path, &Header::default()).unwrap();
    for clip in &clips {
        writer.push(clip).unwrap();
    }
    let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    let splits: Vec<(String, Vec<String>)> = splits
        .iter()
        .map(|(name, ids)| ((*name).to_owned(), owned(ids)))
        .collect();
    writer.finish(&splits).unwrap();
    clips
}

fn input(path: PathBuf, split: Option<&str>) -> Input {
    Input {
        path,
        split: split.map(str::to_owned),
    }
}

fn open(inputs: &[Input]) -> Result<RawFiles, Error> {
    RawFiles::open(inputs, Meaning::default(), false)
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn each_file_is_a_split_called_as_typed_or_as_the_file() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let mut all = write(&at("mine_train.jsonl"), &["a", "b"], &[]);
    all.extend(write(&at("mine_val.jsonl"), &["c"], &[]));
    let files = open(&[
        input(at("mine_train.jsonl"), None),
        input(at("mine_val.jsonl"), Some("held")),
    ])
    .unwrap();
    let split = |name: &str, ids: &[&str]| {
        (
            name.to_owned(),
            ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>(),
        )
    };
    assert_eq!(
        files.splits(),
        [split("mine_train", &["a", "b"]), split("held", &["c"])]
    );
    assert_eq!(all_of(&files), all);
    // Alone, a file is no split; its own splits stay, and those of one name add up.
    assert!(
        open(&[input(at("mine_train.jsonl"), None)])
            .unwrap()
            .splits()
            .is_empty()
    );
    write(
        &at("one.jsonl"),
        &["d", "e"],
        &[("train", &["d"]), ("test", &["e"])],
    );
    write(&at("two.jsonl"), &["f"], &[("train", &["f"])]);
    let files = open(&[input(at("one.jsonl"), None), input(at("two.jsonl"), None)]).unwrap();
    assert_eq!(
        files.splits(),
        [split("train", &["d", "f"]), split("test", &["e"])]
    );
}

#[test]
fn an_id_in_two_files_is_refused_with_both() {
    let folder = folder();
    let (one, two) = (
        folder.path().join("one.jsonl"),
        folder.path().join("two.jsonl"),
    );
    write(&one, &["a", "b"], &[]);
    write(&two, &["c", "b"], &[]);
    let message = open(&[input(one, None), input(two, None)])
        .err()
        .unwrap()
        .to_string();
    for word in ["one.jsonl", "two.jsonl", "\"b\""] {
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn a_folder_holds_many_files_in_the_order_of_their_names() {
    let folder = folder();
    let mut all = Vec::new();
    // More than stay open.
    for number in 0..40 {
        let place = folder.path().join(format!("class{}", number / 20));
        std::fs::create_dir_all(&place).unwrap();
        let id = format!("clip{number:02}");
        all.extend(write(&place.join(format!("{id}.jsonl")), &[&id], &[]));
    }
    std::fs::write(folder.path().join("README.txt"), "not a clip").unwrap();
    std::fs::write(folder.path().join("._clip.jsonl"), "not a clip").unwrap();
    let files = open(&[input(folder.path().to_owned(), None)]).unwrap();
    assert_eq!(files.paths().len(), 40);
    assert!(files.splits().is_empty());
    assert_eq!(all_of(&files), all);
    // One that can't be read is an error by its name, or left out.
    std::fs::write(folder.path().join("broken.jsonl"), "{").unwrap();
    let inputs = [input(folder.path().to_owned(), None)];
    let message = open(&inputs).err().unwrap().to_string();
    assert!(message.contains("broken.jsonl"), "{message}");
    let files = RawFiles::open(&inputs, Meaning::default(), true).unwrap();
    assert_eq!((files.len(), files.skipped().len()), (40, 1));
    let alone = [input(folder.path().join("broken.jsonl"), None)];
    assert!(RawFiles::open(&alone, Meaning::default(), true).is_err());
    let empty = tempfile::tempdir().unwrap();
    let message = open(&[input(empty.path().to_owned(), None)]).err().unwrap();
    assert!(message.to_string().contains("expected files of clips"));
}

#[test]
fn files_of_other_joints_are_refused_with_both() {
    let folder = folder();
    let (one, two) = (
        folder.path().join("one.jsonl"),
        folder.path().join("two.jsonl"),
    );
    write(&one, &["a"], &[]);
    std::fs::write(
        &two,
        "{\"format\": \"skeleton-clips\", \"version\": 1}\n{\"id\": \"z\", \"keypoints\": [[[[1, 2]]]]}\n",
    )
    .unwrap();
    let message = open(&[input(one, None), input(two, None)])
        .err()
        .unwrap()
        .to_string();
    for word in ["one.jsonl", "two.jsonl", "4 joints of 2", "1 of 2"] {
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn compressed_files_are_what_is_in_them() {
    let folder = folder();
    let path = folder.path().join("clips.jsonl");
    let clips = write(&path, &["a", "b"], &[("train", &["a"])]);
    let Some(mut python) = python("gzip, lzma") else {
        return;
    };
    run(
        &mut python,
        "
import gzip, lzma, sys
text = open(sys.argv[1], 'rb').read()
gzip.open(sys.argv[1] + '.gz', 'wb').write(text)
lzma.open(sys.argv[1] + '.xz', 'wb').write(text)
open(sys.argv[1] + '.named', 'wb').write(gzip.compress(text))
# A bomb: 300 MB of blanks.
with gzip.open(sys.argv[1] + '.bomb.gz', 'wb', 9) as bomb:
    for _ in range(300): bomb.write(b' ' * 1000000)
with lzma.open(sys.argv[1] + '.bomb.xz', 'wb') as bomb:
    for _ in range(300): bomb.write(b' ' * 1000000)
",
        &[&path],
    );
    for ending in ["gz", "xz", "named"] {
        let file = RawFile::open(&folder.path().join(format!("clips.jsonl.{ending}"))).unwrap();
        assert_eq!(common::all(&file), clips, "{ending}");
        assert_eq!(file.splits().len(), 1);
    }
    for ending in ["bomb.gz", "bomb.xz"] {
        let path = folder.path().join(format!("clips.jsonl.{ending}"));
        let message = RawFile::open(&path).err().unwrap().to_string();
        assert!(message.contains("at most 67108864 bytes"), "{message}");
        // Cut off.
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(RawFile::open(&path).is_err(), "{ending}");
    }
    let files = open(&[
        input(folder.path().join("clips.jsonl.gz"), None),
        input(folder.path().join("clips.jsonl"), None),
    ]);
    assert!(files.is_err(), "the same clips twice");
}

#[test]
fn lines_that_come_one_by_one_are_those_of_the_file() {
    let folder = folder();
    let path = folder.path().join("clips.jsonl");
    let clips = write(&path, &["a", "b", "c"], &[("train", &["a"])]);
    let text = std::fs::read(&path).unwrap();
    let mut lines =
        LineReader::new(Path::new("pipe"), BufReader::with_capacity(7, &text[..])).unwrap();
    for clip in clips {
        assert_eq!(lines.clip().unwrap(), Some(clip));
    }
    assert_eq!(lines.clip().unwrap(), None);
    assert_eq!(lines.clip().unwrap(), None);
    let refusal = |text: &str| {
        let lines = LineReader::new(Path::new("pipe"), text.as_bytes());
        let error = lines.and_then(|mut lines| {
            loop {
                match lines.clip()? {
                    Some(_) => {}
                    None => return Ok(()),
                }
            }
        });
        error
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    assert!(refusal("").contains("line 1"));
    assert!(refusal("{\"id\": \"a\"}").contains("line 1"));
    let first = "\n{\"format\": \"skeleton-clips\", \"version\": 1}\n\n";
    let message = refusal(&format!(
        "{first}{{\"id\": \"a\", \"keypoints\": [[[[1, 2]]]]}}\n{{\"id\": \"b\", \"keypoints\": [[[[1, NaN]]]]}}"
    ));
    for word in ["pipe", "line 5", "`null`"] {
        assert!(message.contains(word), "{message}");
    }
    assert_eq!(refusal(first), "");
}

#[test]
fn nobody_over_any_number_of_frames_is_refused_by_the_number() {
    let first = "{\"format\": \"skeleton-clips\", \"version\": 1}";
    let nobody = |frames: u64| {
        let text = format!("{first}\n{{\"id\": \"a\", \"keypoints\": [], \"frames\": {frames}}}\n");
        let file = RawFile::from_bytes(Path::new("a.jsonl"), text.into_bytes()).unwrap();
        let read: Result<(), Error> = file.each(|clip| {
            assert_eq!(clip.frames as u64, frames);
            Ok(())
        });
        read.map_err(|error| error.to_string())
    };
    assert_eq!(nobody(1 << 20), Ok(()));
    for frames in [(1 << 20) + 1, 4_294_967_295, u64::MAX] {
        let message = nobody(frames).unwrap_err();
        for word in ["line 2", "`frames`", "1048576", &frames.to_string()] {
            assert!(message.contains(word), "{message}");
        }
    }
    // The same of a clip that no file holds, as a cache's writer and any model are given it.
    let mut held = clip("a", None, 0, 1 << 20, 2);
    assert!(held.check(4).is_ok());
    held.frames += 1;
    assert!(held.check(4).is_err());
}

#[test]
fn columns_and_marks_are_read_as_they_are_meant() {
    let folder = folder();
    let path = folder.path().join("clips.jsonl");
    std::fs::write(
        &path,
        "{\"format\": \"skeleton-clips\", \"version\": 1}\n{\"id\": \"a\", \"keypoints\": [[[[1, 2, 3, 0.5], [-1, -1, -1, 0.75]]]]}\n",
    )
    .unwrap();
    let file = open(&[input(path.clone(), None)]).unwrap();
    assert_eq!((file.coordinates(), file.columns()), (4, 4));
    let meaning = Meaning {
        columns: Some("x,y,z,score".parse().unwrap()),
        missing: vec![-1.0],
        divisor: Some(2.0),
    };
    let files = RawFiles::open(&[input(path, None)], meaning.clone(), false).unwrap();
    assert_eq!((files.coordinates(), files.columns()), (3, 4));
    let clips = all_of(&files);
    assert_eq!(files.repaired().marked, 1);
    let expected = Sequence {
        keypoints: skeleton_data::Values::F32(vec![0.5, 1.0, 1.5, 0.0, 0.0, 0.0]),
        scores: Some(skeleton_data::Values::F32(vec![0.5, 0.0])),
        coordinates: 3,
        ..clips[0].clone()
    };
    assert_eq!(clips, [expected]);
    let record = serde_json::to_value(&meaning).unwrap();
    assert_eq!(
        record["columns"],
        serde_json::json!(["x", "y", "z", "score"])
    );
    assert_eq!(serde_json::to_value(Column::Other).unwrap(), "-");
}
