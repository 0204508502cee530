//! What a cache can't hold is refused when it is written, and what is no cache when it is opened.
#![cfg(feature = "hdf5")]

mod common;

use std::fs;
use std::path::Path;

use common::{assert_holds, clip, clips, header, splits, write};
use skeleton_data::cache::{Cache, CacheWriter};
use skeleton_data::{Error, Sequence, Values};

#[test]
fn clips_that_do_not_fit_are_refused_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.h5");
    let mut writer = CacheWriter::create(&path, header()).unwrap();
    writer.push(&clips()[0]).unwrap();
    let good = clip("x", Some(0), 1, 2, 2);
    type Change = fn(&mut Sequence);
    let bad: [(Change, &str); 9] = [
        (|c| c.id = "a".into(), "the same id twice"),
        (|c| c.id.clear(), "an id of 1 to"),
        (|c| c.id = "n\0l".into(), "an id of 1 to"),
        (|c| c.label = Some(2), "a label below 2"),
        (|c| c.scores = None, "scores, as in clip \"a\""),
        (
            |c| *c = clip("x", Some(0), 1, 2, 3),
            "2 coordinates, as in clip \"a\"",
        ),
        (|c| c.frames = 3, "keypoints of shape [1, 3, 4, 2]"),
        (|c| c.joints = 5, "the 4 joints of the layout"),
        (
            |c| c.keypoints = Values::F32(vec![f32::NAN; 16]),
            "finite coordinates",
        ),
    ];
    for (change, expected) in bad {
        let mut clip = good.clone();
        change(&mut clip);
        let message = writer.push(&clip).unwrap_err().to_string();
        assert!(
            message.contains(expected),
            "{message} should say {expected}"
        );
    }
    writer.push(&good).unwrap();
    let unknown = vec![(
        "train".to_owned(),
        vec!["x".into(), "gone".into(), "lost".into()],
    )];
    let summary = writer.finish(&unknown).unwrap();
    assert_eq!(summary.unknown_ids, [("train".to_owned(), 2)]);
    let cache = Cache::open(&path).unwrap();
    assert_holds(&cache, &[clips()[0].clone(), good]);
    assert_eq!(cache.split("train").unwrap(), [1]);
}

#[test]
fn header_names_that_cannot_be_stored_are_refused() {
    let path = Path::new("unused.h5");
    let mut bad = header();
    bad.classes[1] = String::new();
    assert!(CacheWriter::create(path, bad).is_err());
    let mut bad = header();
    bad.created_by = "x".repeat(300);
    assert!(CacheWriter::create(path, bad).is_err());
}

fn edit(path: &Path, change: impl FnOnce(&hdf5::File)) {
    change(&hdf5::File::open_rw(path).unwrap());
}

#[test]
fn a_newer_schema_is_refused_by_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.h5");
    write(&path, &clips(), &splits());
    edit(&path, |file| {
        file.attr("schema").unwrap().write_scalar(&2u32).unwrap();
        // What a newer schema may look like is not known: it is not looked at.
        file.unlink("samples").unwrap();
    });
    match Cache::open(&path).err().unwrap() {
        Error::Schema {
            found: 2,
            newest: 1,
            ..
        } => {}
        other => panic!("{other}"),
    }
}

#[test]
fn what_is_not_a_cache_is_refused_with_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.h5");
    let refused = |expected: &str| {
        let message = Cache::open(&path).err().unwrap().to_string();
        assert!(
            message.contains(expected) && message.contains("c.h5"),
            "{message} should say {expected}"
        );
    };
    assert!(
        matches!(Cache::open(&path), Err(Error::Io { .. })),
        "missing"
    );
    fs::write(&path, b"").unwrap();
    refused("a whole HDF5 file");
    fs::write(&path, b"PK\x03\x04 not HDF5 at all").unwrap();
    refused("expected a cache, found a zip archive");
    fs::write(&path, b"neither HDF5 nor anything known").unwrap();
    refused("a whole HDF5 file");
    drop(hdf5::File::create(&path).unwrap());
    refused("attribute `format`");

    type Change = fn(&hdf5::File);
    let changes: [(Change, &str); 11] = [
        (|f| f.unlink("samples/label").unwrap(), "/samples/label"),
        (|f| f.unlink("scores").unwrap(), "digest"),
        (|f| f.unlink("splits").unwrap(), "/splits"),
        (|f| f.delete_attr("units").unwrap(), "units"),
        (
            |f| {
                f.dataset("samples/label")
                    .unwrap()
                    .write_raw(&[0i32, 0, 0])
                    .unwrap()
            },
            "digest",
        ),
        (
            |f| f.relink("splits/train", "splits/trial").unwrap(),
            "digest",
        ),
        (
            |f| {
                f.unlink("samples/label").unwrap();
                f.new_dataset::<f32>()
                    .shape(3)
                    .create("samples/label")
                    .unwrap();
            },
            "little-endian",
        ),
        (
            |f| {
                f.unlink("samples/label").unwrap();
                f.new_dataset::<i32>()
                    .shape(2)
                    .create("samples/label")
                    .unwrap();
            },
            "3 values, one for each sample",
        ),
        (
            |f| {
                f.unlink("keypoints").unwrap();
                f.new_dataset::<f32>()
                    .layout(hdf5::dataset::Layout::Compact)
                    .shape((8, 4, 2))
                    .create("keypoints")
                    .unwrap();
            },
            "contiguous or chunked",
        ),
        (
            |f| {
                f.unlink("keypoints").unwrap();
                f.new_dataset::<f32>()
                    .chunk((1 << 20, 4, 2))
                    .shape((1 << 20, 4, 2))
                    .create("keypoints")
                    .unwrap();
            },
            "as many numbers as the file can hold",
        ),
        (
            |f| {
                f.unlink("classes").unwrap();
                f.new_dataset::<hdf5::types::VarLenUnicode>()
                    .chunk(2)
                    .shape(2)
                    .create("classes")
                    .unwrap();
            },
            "contiguous references",
        ),
    ];
    for (change, expected) in changes {
        write(&path, &clips(), &splits());
        edit(&path, change);
        refused(expected);
    }
    // Objects and attributes that a reader doesn't know are ignored.
    write(&path, &clips(), &splits());
    edit(&path, |f| {
        f.new_attr::<u32>().create("note").unwrap();
        f.create_group("extra").unwrap();
    });
    assert_holds(&Cache::open(&path).unwrap(), &clips());
}
