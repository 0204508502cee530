//! Files that another program changes while they are read: an error, not a signal and not other numbers in silence.
#![cfg(feature = "hdf5")]

mod common;

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{clip, clips, splits, write};
use skeleton_data::cache::Cache;
use skeleton_data::raw::RawFile;
use skeleton_data::{ClipSource, Error, Sequence};

/// The usual ids, with clips of several pages each: what is cut off are pages that were mapped.
fn long_clips() -> [Sequence; 3] {
    [
        clip("a", Some(0), 1, 3000, 2),
        clip("b", Some(1), 2, 2000, 2),
        clip("ç", None, 1, 1000, 2),
    ]
}

/// A cache of the long clips and its length.
fn cache(folder: &tempfile::TempDir) -> (PathBuf, u64) {
    let path = folder.path().join("c.h5");
    write(&path, &long_clips(), &splits());
    let len = fs::metadata(&path).unwrap().len();
    (path, len)
}

fn cut(path: &Path, len: u64) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(len).unwrap();
}

fn assert_shrunk(error: Option<Error>, path: &Path, was: u64, is: u64) {
    match error {
        Some(error @ Error::Shrunk { .. }) => {
            let message = error.to_string();
            for part in [path.display().to_string(), was.to_string(), is.to_string()] {
                assert!(message.contains(&part), "no {part} in {message}");
            }
        }
        other => panic!("{} cut from {was} to {is} bytes: {other:?}", path.display()),
    }
}

#[test]
fn a_cache_cut_off_while_it_is_open_is_an_error_with_both_lengths() {
    let folder = tempfile::tempdir().unwrap();
    let (path, len) = cache(&folder);
    assert!(len > 100_000, "{len} bytes are too few to lose pages");
    let cache = Cache::open(&path).unwrap();
    cache.clip(0).unwrap();
    for left in [len - 1, 5000, 0] {
        cut(&path, left);
        for index in 0..cache.len() {
            assert_shrunk(cache.clip(index).err(), &path, len, left);
            assert_shrunk(cache.sequence(index).err(), &path, len, left);
        }
        assert_shrunk(cache.verify().err(), &path, len, left);
    }
}

#[test]
fn a_cache_replaced_or_removed_while_it_is_open_stays_readable() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = cache(&folder);
    let cache = Cache::open(&path).unwrap();
    let before = cache.sequence(1).unwrap();
    write(&path, &clips(), &splits());
    assert_eq!(cache.sequence(1).unwrap(), before);
    fs::remove_file(&path).unwrap();
    assert_eq!(cache.sequence(1).unwrap(), before);
    cache.verify().unwrap();
}

#[test]
fn a_clip_changed_after_its_first_read_is_found_at_its_next() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = cache(&folder);
    let cache = Cache::open(&path).unwrap();
    for index in 0..cache.len() {
        cache.clip(index).unwrap();
    }
    let dataset = hdf5::File::open(&path)
        .unwrap()
        .dataset("keypoints")
        .unwrap();
    let (offset, bytes) = (dataset.offset().unwrap(), fs::read(&path).unwrap());
    // The clocks of file systems are coarse.
    std::thread::sleep(Duration::from_millis(20));
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.write_all(&[bytes[offset as usize] ^ 1]).unwrap();
    // Whoever notices first that the file was written to.
    assert!(cache.verify().is_err());
    let message = cache.clip(0).unwrap_err().to_string();
    assert!(message.contains("sample 0 (\"a\")"), "{message}");
    cache.clip(1).unwrap();
}

#[test]
fn a_raw_file_cut_off_while_it_is_read_is_an_error() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    let folder = tempfile::tempdir().unwrap();
    for seed in [
        "pickle/protocol2.pkl",
        "jsonl/plain.jsonl",
        "npz/stored.npz",
    ] {
        let path = folder.path().join(seed.rsplit('/').next().unwrap());
        fs::copy(seeds.join(seed), &path).unwrap();
        let len = fs::metadata(&path).unwrap().len();
        let file = RawFile::open(&path).unwrap();
        let read = || file.each(|_| Ok::<(), Error>(())).err();
        assert!(read().is_none(), "{seed}");
        cut(&path, len / 2);
        assert_shrunk(read(), &path, len, len / 2);
    }
}
