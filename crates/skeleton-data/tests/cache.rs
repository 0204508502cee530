//! Caches hold what was written, refuse what can't be, and are written whole or not at all.
#![cfg(feature = "hdf5")]

mod common;

use std::fs;
use std::path::Path;

use common::{clip, clips, header, single, splits, write};
use skeleton_data::cache::{Cache, CacheWriter};
use skeleton_data::{ClipSource, Error, Sequence, Units, Values, ValuesRef};

fn assert_holds(cache: &Cache, clips: &[Sequence]) {
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

#[test]
fn a_cache_holds_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.h5");
    let summary = write(&path, &clips(), &splits());
    assert_eq!((summary.samples, summary.rows), (3, 8));
    assert_eq!(summary.bytes, fs::metadata(&path).unwrap().len());
    let cache = Cache::open(&path).unwrap();
    assert_holds(&cache, &clips());
    assert_eq!(cache.digest(), summary.digest);
    assert_eq!(cache.dataset(), "tiny");
    assert_eq!(cache.layout(), &header().layout);
    assert_eq!(cache.units(), Units::Pixel);
    assert_eq!(cache.classes(), ["sit", "ständ"]);
    assert_eq!(cache.source(), &header().source);
    assert_eq!(cache.created_by(), "tests 1");
    assert_eq!(cache.labels(), [Some(0), Some(1), None]);
    assert_eq!(cache.element_type(), "f16");
    assert_eq!(
        cache.split("train").unwrap(),
        [1, 0],
        "in the order of the source's split"
    );
    assert_eq!(
        cache.splits().collect::<Vec<_>>(),
        [("test", 1), ("train", 2)]
    );
    let message = cache.split("val").unwrap_err().to_string();
    assert!(message.contains("test, train"), "{message}");
    assert_eq!(cache.verify().unwrap().bytes, 8 * 4 * 3 * 2);
}

#[test]
fn single_and_mixed_precision_without_and_with_scores() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.h5");
    let wide: Vec<Sequence> = clips().into_iter().map(single).collect();
    write(&path, &wide, &splits());
    let digest = Cache::open(&path).unwrap().digest().to_owned();

    // One clip in single precision makes the set so; the others keep their values.
    let mixed = vec![clips()[0].clone(), wide[1].clone(), clips()[2].clone()];
    write(&path, &mixed, &splits());
    let cache = Cache::open(&path).unwrap();
    assert_holds(&cache, &wide);
    assert_eq!(cache.digest(), digest, "checksums are of the stored bytes");
    cache.verify().unwrap();

    let mut bare = clips();
    for clip in &mut bare {
        clip.scores = None;
    }
    bare[0] = single(bare[0].clone());
    write(&path, &bare, &vec![]);
    let cache = Cache::open(&path).unwrap();
    assert!(!cache.has_scores());
    assert!(matches!(
        cache.clip(2).unwrap().keypoints,
        ValuesRef::F32(_)
    ));
    cache.verify().unwrap();
    assert_eq!(cache.splits().count(), 0);
}

#[test]
fn clips_without_people_or_frames_are_held_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.h5");
    let empty = [
        clip("nobody", Some(0), 0, 5, 2),
        clip("never", Some(0), 1, 0, 2),
    ];
    write(&path, &empty, &vec![]);
    assert_holds(&Cache::open(&path).unwrap(), &empty);
    let some = [
        empty[0].clone(),
        clip("a", Some(1), 1, 2, 2),
        empty[1].clone(),
    ];
    write(&path, &some, &vec![]);
    assert_holds(&Cache::open(&path).unwrap(), &some);
}

#[test]
fn the_same_data_gives_the_same_bytes_and_created_by_is_outside_the_digest() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("1.h5"), folder.path().join("2.h5"));
    let summary = write(&one, &clips(), &splits());
    write(&two, &clips(), &splits());
    assert_eq!(fs::read(&one).unwrap(), fs::read(&two).unwrap());
    let mut writer = CacheWriter::create(&two, common::header()).unwrap();
    for clip in clips() {
        writer.push(&clip).unwrap();
    }
    let reversed: Vec<_> = splits().into_iter().rev().collect();
    assert_eq!(
        writer.finish(&reversed).unwrap().digest,
        summary.digest,
        "splits have no order"
    );

    let mut other = header();
    other.created_by = "tests 2".into();
    let mut writer = CacheWriter::create(&two, other).unwrap();
    for clip in clips() {
        writer.push(&clip).unwrap();
    }
    assert_eq!(writer.finish(&splits()).unwrap().digest, summary.digest);

    let mut changed = clips();
    if let Values::F16(values) = &mut changed[1].keypoints {
        values[3] = half::f16::from_f32(7.0);
    }
    assert_ne!(
        write(&two, &changed, &splits()).digest,
        summary.digest,
        "a coordinate is in by its checksum"
    );
}

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
fn a_failed_or_dropped_writer_leaves_the_target_and_the_folder_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.h5");
    write(&path, &clips(), &splits());
    let before = fs::read(&path).unwrap();
    let files = || fs::read_dir(folder.path()).unwrap().count();

    let mut writer = CacheWriter::create(&path, header()).unwrap();
    writer.push(&clips()[0]).unwrap();
    drop(writer);
    for bad in [
        vec![("a/b".to_owned(), vec![])],
        vec![("x".to_owned(), vec![]), ("x".to_owned(), vec![])],
        vec![("x".to_owned(), vec!["a".to_owned(), "a".to_owned()])],
    ] {
        let mut writer = CacheWriter::create(&path, header()).unwrap();
        writer.push(&clips()[0]).unwrap();
        writer.finish(&bad).unwrap_err();
    }
    CacheWriter::create(&path, header())
        .unwrap()
        .finish(&[])
        .unwrap_err();
    // An open reader keeps its file while another takes its place.
    let cache = Cache::open(&path).unwrap();
    assert_eq!((fs::read(&path).unwrap(), files()), (before, 1));
    write(&path, &clips()[..1], &vec![]);
    assert_holds(&cache, &clips());
    assert_eq!((Cache::open(&path).unwrap().len(), files()), (1, 1));

    let nowhere = folder.path().join("missing/c.h5");
    assert!(matches!(
        CacheWriter::create(&nowhere, header()),
        Err(Error::Io { .. })
    ));
    // The target turns out to be a folder at the rename.
    let taken = folder.path().join("taken");
    fs::create_dir(&taken).unwrap();
    let mut writer = CacheWriter::create(&taken, header()).unwrap();
    writer.push(&clips()[0]).unwrap();
    assert!(matches!(writer.finish(&[]), Err(Error::Io { .. })));
    assert_eq!(files(), 2);
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
    refused("a whole HDF5 file");
    drop(hdf5::File::create(&path).unwrap());
    refused("an HDF5 file without it");

    type Change = fn(&hdf5::File);
    let changes: [(Change, &str); 9] = [
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
                    .chunk((2, 4, 2))
                    .shape((8, 4, 2))
                    .create("keypoints")
                    .unwrap();
            },
            "contiguous data",
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
