//! Every flipped byte of a cache is an error or changes nothing that is read; every cut-off cache is an error.
#![cfg(feature = "hdf5")]

mod common;

use std::fs;
use std::path::Path;

use common::{clips, splits, write};
use skeleton_data::cache::Cache;
use skeleton_data::{ClipSource, Error};

/// Everything a reader of the format's page would read.
fn read_all(path: &Path) -> Result<String, Error> {
    let cache = Cache::open(path)?;
    let mut out = format!(
        "{} {} {:?} {:?} {} {} {} {} ",
        cache.dataset(),
        cache.layout().to_toml(),
        cache.units(),
        cache.classes(),
        cache.source(),
        cache.created_by(),
        cache.digest(),
        cache.coordinates(),
    );
    for (name, len) in cache.splits() {
        out += &format!("{name} {len} {:?} ", cache.split(name)?);
    }
    for index in 0..cache.len() {
        out += &format!("{:?} {:?} ", cache.sample(index), cache.clip(index)?);
    }
    cache.verify()?;
    Ok(out)
}

#[test]
fn every_flipped_byte_is_an_error_or_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.h5");
    write(&path, &clips(), &splits());
    let whole = fs::read(&path).unwrap();
    let expected = read_all(&path).unwrap();
    let mut silent = 0;
    for at in 0..whole.len() {
        for flip in [0x01, 0x10, 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] ^= flip;
            fs::write(&path, &damaged).unwrap();
            match read_all(&path) {
                Ok(found) => {
                    assert_eq!(found, expected, "byte {at} ^ {flip:#x} changed what is read, in silence");
                    silent += 1;
                }
                Err(error) => {
                    let message = error.to_string();
                    assert!(message.contains("c.h5"), "{message}");
                }
            }
        }
    }
    // Only bytes that hold nothing may pass: unused room in the library's heaps, reference counts.
    eprintln!("{} bytes, {silent} of {} flips in bytes that nothing reads", whole.len(), whole.len() * 4);
}

#[test]
fn every_cut_off_cache_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.h5");
    write(&path, &clips(), &splits());
    let whole = fs::read(&path).unwrap();
    for len in 0..whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        assert!(read_all(&path).is_err(), "{len} of {} bytes", whole.len());
    }
}

#[test]
fn a_damaged_sample_is_found_at_its_first_read_and_by_verify() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.h5");
    write(&path, &clips(), &splits());
    let offset = hdf5::File::open(&path).unwrap().dataset("scores").unwrap().offset().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[offset as usize + 3 * 4 * 2] ^= 4;
    fs::write(&path, &bytes).unwrap();

    let cache = Cache::open(&path).unwrap();
    cache.clip(0).unwrap();
    for _ in 0..2 {
        let message = cache.clip(1).unwrap_err().to_string();
        assert!(message.contains("sample 1 (\"b\")"), "{message}");
    }
    cache.clip(2).unwrap();
    let message = cache.verify().unwrap_err().to_string();
    assert!(message.contains("sample 1 (\"b\")") && message.contains("1 of 3 samples"), "{message}");
}
