//! Clips come back from JSON lines and from .npz archives as they went in.
#![cfg(feature = "hdf5")]

mod common;

use std::path::Path;

use common::{clips, layout, python, run, single, splits};
use half::f16;
use skeleton_data::raw::RawFile;
use skeleton_data::raw::jsonl::{Header, JsonlWriter, NumberType};
use skeleton_data::raw::npz;
use skeleton_data::skeleton_graph::Layout;
use skeleton_data::{MemoryClips, Sequence, Units, Values};

fn all(path: &Path) -> Vec<Sequence> {
    common::all(&RawFile::open(path).unwrap())
}

fn bits(values: &Values) -> Vec<u32> {
    match values {
        Values::F16(values) => values.iter().map(|x| x.to_bits().into()).collect(),
        Values::F32(values) => values.iter().map(|x| x.to_bits()).collect(),
    }
}

#[test]
fn json_lines_give_back_every_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.jsonl");
    for kind in [NumberType::F16, NumberType::F32] {
        let mut clips = clips();
        if let Values::F16(values) = &mut clips[1].keypoints {
            // Zeros of either sign, a missing joint, the smallest and the largest number.
            let (zero, tiny) = (f16::ZERO, f16::MIN_POSITIVE);
            values[..6].copy_from_slice(&[zero, f16::NEG_ZERO, zero, zero, tiny, f16::MAX]);
        }
        clips[2].persons = 0;
        clips[2].keypoints = Values::F16(vec![]);
        clips[2].scores = Some(Values::F16(vec![]));
        if kind == NumberType::F32 {
            clips = clips.into_iter().map(single).collect();
        }
        let header = Header {
            dataset: Some("tiny".into()),
            units: Some(Units::Pixel),
            classes: vec!["sit".into(), "ständ".into()],
            keypoints_type: kind,
            scores_type: kind,
            ..Header::new(&layout())
        };
        let mut writer = JsonlWriter::create(&path, &header).unwrap();
        clips.iter().for_each(|clip| writer.push(clip).unwrap());
        let mut named = splits();
        named.push(("none".into(), vec![]));
        writer.finish(&named).unwrap();
        let file = RawFile::open(&path).unwrap();
        assert_eq!(file.header(), Some(&header));
        assert_eq!(file.layout().unwrap(), Some(layout()));
        assert_eq!(file.splits(), named);
        for (read, clip) in all(&path).iter().zip(&clips) {
            assert_eq!(read, clip);
            assert_eq!(
                bits(&read.keypoints),
                bits(&clip.keypoints),
                "signs of zero too"
            );
        }
        // As a program on Windows saves it, under another name.
        let text = std::fs::read_to_string(&path).unwrap();
        let windows = folder.path().join("clips.json");
        let text = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        std::fs::write(&windows, text).unwrap();
        assert_eq!(all(&windows), all(&path));
    }
}

#[test]
fn what_json_cannot_hold_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.jsonl");
    let mut writer = JsonlWriter::create(&path, &Header::new(&layout())).unwrap();
    let mut clip = single(clips()[0].clone());
    clip.keypoints = Values::F32(vec![f32::NAN; 3 * 4 * 2]);
    let message = writer.push(&clip).unwrap_err().to_string();
    assert!(message.contains("finite"), "{message}");
    drop(writer);
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "a dropped writer leaves nothing");
}

/// Two people in clip 0, the second from the second frame on; one in clip 1; nobody in clip 2.
fn bodies() -> MemoryClips {
    let clip = |id: &str, label, persons: usize, frames: usize| {
        let len = persons * frames * 75;
        let mut numbers: Vec<f32> = (0..len)
            .map(|i| (i * 7 % 1013) as f32 / 8.0 - 50.0)
            .collect();
        if persons == 2 {
            numbers[frames * 75..][..75].fill(0.0);
        }
        Sequence {
            label: Some(label),
            ..Sequence::new(id, [persons, frames, 25, 3], Values::F32(numbers))
        }
    };
    MemoryClips {
        layout: Layout::built_in("ntu25").unwrap(),
        units: Units::Metre,
        classes: vec!["a".into(), "b".into(), "c".into()],
        clips: vec![clip("x", 2, 2, 4), clip("y", 0, 1, 301), clip("z", 1, 0, 0)],
    }
}

#[test]
fn an_archive_gives_back_its_clips_and_numpy_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.npz");
    let bodies = bodies();
    let summary = npz::write(&path, &bodies, [&[1, 0], &[2]], 3).unwrap();
    assert_eq!((summary.clips, summary.frames), ([2, 1], 301));
    let ids = ["train-000000", "train-000001", "test-000000"];
    for ((read, index), id) in all(&path).iter().zip([1, 0, 2]).zip(ids) {
        let expected = Sequence {
            id: id.into(),
            ..bodies.clips[index].clone()
        };
        assert_eq!(read, &expected);
    }
    let file = RawFile::open(&path).unwrap();
    assert_eq!(
        (file.classes(), file.joints(), file.coordinates()),
        (3, 25, 3)
    );
    assert_eq!(
        file.splits()[1],
        ("test".into(), vec!["test-000000".into()])
    );

    let Some(mut python) = python("numpy") else {
        return;
    };
    let script = "
import numpy as np, sys
f = np.load(sys.argv[1])
assert sorted(f) == ['x_test', 'x_train', 'y_test', 'y_train'], sorted(f)
x, y = f['x_train'], f['y_train']
assert x.shape == (2, 301, 150) and x.dtype == '<f4' and x.flags.c_contiguous, x.shape
assert f['x_test'].shape == (1, 301, 150) and not f['x_test'].any()
assert np.where(y > 0)[1].tolist() == [0, 2] and y.sum() == 2
people = x[1].reshape(301, 2, 25, 3)
assert not people[4:].any() and not people[0, 1].any() and people[0, 0, 0, 1] == 7 / 8 - 50
";
    run(&mut python, script, &[&path]);
}

#[test]
fn what_an_archive_cannot_hold_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.npz");
    let mut bodies = bodies();
    let refused = |bodies: &MemoryClips, expected: &str| {
        let error = npz::write(&path, bodies, [&[1], &[]], 3).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(expected), "{message}");
        assert!(!path.exists());
    };
    bodies.clips[1].label = None;
    refused(&bodies, "a label");
    bodies.clips[1].label = Some(3);
    refused(&bodies, "a label below 3");
    bodies.clips[1] = Sequence {
        label: Some(0),
        persons: 3,
        frames: 1,
        keypoints: Values::F32(vec![1.0; 225]),
        ..bodies.clips[1].clone()
    };
    refused(&bodies, "at most 2 people");
    let mut flat = clips();
    flat[1].label = Some(0);
    bodies.layout = layout();
    bodies.clips = flat;
    refused(&bodies, "25 joints of 3 coordinates");
}
