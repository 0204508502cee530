//! Caches hold what was written, and are written whole or not at all.
#![cfg(feature = "hdf5")]

mod common;

use std::fs;

use common::{assert_holds, clip, clips, header, single, splits, write};
use skeleton_data::cache::{Cache, CacheWriter};
use skeleton_data::{ClipSource, Error, Sequence, Units, Values, ValuesRef};

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
fn a_compressed_cache_holds_the_same_under_the_same_digest() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, packed) = (folder.path().join("p.h5"), folder.path().join("c.h5"));
    let mut many: Vec<Sequence> = (0..40)
        .map(|i| clip(&format!("clip {i}"), Some(i % 2), 2, 100, 2))
        .collect();
    // One without anybody, and coordinates worth packing.
    many[7] = clip("nobody", None, 0, 3, 2);
    many[8].keypoints = Values::F16(vec![half::f16::ONE; 2 * 100 * 4 * 2]);
    for clips in [many, vec![clip("never", None, 1, 0, 2)]] {
        let summary = write(&plain, &clips, &vec![]);
        let mut writer = CacheWriter::create(&packed, header()).unwrap();
        writer.compress();
        for clip in &clips {
            writer.push(clip).unwrap();
        }
        let written = writer.finish(&[]).unwrap();
        assert_eq!(written.digest, summary.digest);
        let cache = Cache::open(&packed).unwrap();
        assert_eq!(cache.is_compressed(), clips.len() > 1);
        assert_holds(&cache, &clips);
        cache.verify().unwrap();
        assert_eq!(cache.sequence(0).unwrap(), clips[0]);
        drop(cache);
        let file = hdf5::File::open(&packed).unwrap();
        let stored = file.dataset("keypoints").unwrap().storage_size();
        assert!(clips.len() == 1 || stored < summary.rows * 16, "{stored}");
    }
}

#[test]
fn a_damaged_chunk_is_told_by_the_clips_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.h5");
    // Rows of 16 bytes: clip 0 has the first chunk of 8,192 rows to itself.
    let clips = [
        clip("a", Some(0), 1, 9_000, 2),
        clip("b", Some(1), 1, 9_000, 2),
    ];
    let mut writer = CacheWriter::create(&path, header()).unwrap();
    writer.compress();
    clips.iter().for_each(|clip| writer.push(clip).unwrap());
    writer.finish(&[]).unwrap();
    let chunk = {
        let file = hdf5::File::open(&path).unwrap();
        let keypoints = file.dataset("keypoints").unwrap();
        assert_eq!(keypoints.chunk(), Some(vec![8192, 4, 2]));
        keypoints.chunk_info(0).unwrap()
    };
    let mut bytes = fs::read(&path).unwrap();
    bytes[(chunk.addr + chunk.size / 2) as usize] ^= 0xff;
    fs::write(&path, bytes).unwrap();
    let cache = Cache::open(&path).unwrap();
    let message = cache.clip(0).unwrap_err().to_string();
    assert!(message.contains("sample 0 (\"a\")"), "{message}");
    assert_eq!(cache.clip(1).unwrap().keypoints, clips[1].view().keypoints);
    let message = cache.verify().unwrap_err().to_string();
    assert!(message.contains("1 of 2 samples"), "{message}");
}
