//! Every damage to a cache is an error or changes nothing that is read; every cut-off cache is an error.
#![cfg(feature = "hdf5")]

mod common;

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use common::{clip, clips, splits, write, write_as};
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

/// Flips bits of every byte, one pattern at a time, and returns how many flips no reader notices.
fn flip_all(patterns: impl Fn(usize, &[u8]) -> Vec<u8>) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.h5");
    write(&path, &clips(), &splits());
    let whole = fs::read(&path).unwrap();
    let expected = read_all(&path).unwrap();
    // One byte is changed in place and put back: writing the whole file each time would wait for the disk.
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let mut put = |at: usize, byte: u8| {
        file.seek(SeekFrom::Start(at as u64)).unwrap();
        file.write_all(&[byte]).unwrap();
    };
    let mut silent = 0;
    for (at, &byte) in whole.iter().enumerate() {
        for flip in patterns(at, &whole) {
            put(at, byte ^ flip);
            match read_all(&path) {
                Ok(found) => {
                    assert_eq!(
                        found, expected,
                        "byte {at} ^ {flip:#x} changed what is read, in silence"
                    );
                    silent += 1;
                }
                Err(error) => assert!(error.to_string().contains("c.h5"), "{error}"),
            }
        }
        put(at, byte);
    }
    assert_eq!(fs::read(&path).unwrap(), whole);
    silent
}

#[test]
fn every_flipped_byte_is_an_error_or_changes_nothing() {
    let silent = flip_all(|at, whole| {
        // Of long runs of zeros, the library's unused room, every 16th byte is enough here.
        let around = &whole[at.saturating_sub(16)..whole.len().min(at + 16)];
        if at % 16 != 0 && around.iter().all(|&byte| byte == 0) {
            return vec![];
        }
        vec![[0x01, 0x10, 0x80, 0xff][at % 4]]
    });
    // Only bytes that hold nothing may pass: unused room in the library's heaps, reference counts.
    eprintln!("{silent} flips in bytes that nothing reads");
}

#[test]
#[ignore = "minutes: every bit of every byte"]
fn every_flipped_bit_is_an_error_or_changes_nothing() {
    flip_all(|_, _| (0..8).map(|bit| 1 << bit).chain([0xff]).collect());
}

/// How many random damages each kind of cache gets.
const DAMAGES: usize = 2000;
/// None takes a tenth of a second; a machine that is busy may.
const PATIENCE: Duration = Duration::from_secs(60);

/// Random numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// A copy with one damage that changes it: cut off, a bit, a byte, or up to 256 bytes lost to zeros, to ones, to noise or to
/// bytes from elsewhere in the file. Returns what was done, too.
fn damaged(whole: &[u8], dice: &mut Dice) -> (String, Vec<u8>) {
    loop {
        let mut bytes = whole.to_vec();
        let at = dice.below(bytes.len());
        let end = bytes.len().min(at + 1 + dice.below(256));
        let what = match dice.below(8) {
            0 => {
                bytes.truncate(at);
                "cut off at"
            }
            1 | 2 => {
                bytes[at] ^= 1 << dice.below(8);
                "a bit of"
            }
            3 => {
                bytes[at] = dice.below(256) as u8;
                "another byte at"
            }
            4 => {
                bytes[at..end].fill(0);
                "zeros from"
            }
            5 => {
                bytes[at..end].fill(0xff);
                "ones from"
            }
            6 => {
                bytes[at..end].fill_with(|| dice.below(256) as u8);
                "noise from"
            }
            _ => {
                let from = dice.below(whole.len() - (end - at) + 1);
                bytes[at..end].copy_from_slice(&whole[from..from + end - at]);
                "a piece from elsewhere at"
            }
        };
        if bytes != whole {
            return (format!("{what} byte {at} (to {end})"), bytes);
        }
    }
}

fn survives_random_damages(compress: bool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.h5");
    // Large enough that coordinates are most of the file, as in any.
    let clips = [
        clip("a", Some(0), 1, 300, 2),
        clip("b", Some(1), 2, 150, 2),
        clip("ç", None, 1, 77, 2),
    ];
    write_as(&path, &clips, &splits(), compress);
    let whole = fs::read(&path).unwrap();
    let expected = read_all(&path).unwrap();
    let (progress, seen) = mpsc::channel();
    let worker = std::thread::spawn(move || {
        let (mut dice, mut silent) = (Dice(7), 0);
        for number in 0..DAMAGES {
            let (what, bytes) = damaged(&whole, &mut dice);
            let _ = progress.send(what.clone());
            fs::write(&path, &bytes).unwrap();
            match read_all(&path) {
                Ok(_) if bytes.len() < whole.len() => panic!("damage {number}: {what} is taken"),
                Ok(found) => {
                    assert_eq!(
                        found, expected,
                        "damage {number}: {what} changed what is read"
                    );
                    silent += 1;
                }
                Err(error) => assert!(error.to_string().contains("c.h5"), "{what}: {error}"),
            }
        }
        silent
    });
    let mut last = String::new();
    loop {
        match seen.recv_timeout(PATIENCE) {
            Ok(what) => last = what,
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("{last}: no end within {PATIENCE:?}"),
        }
    }
    let silent = worker
        .join()
        .unwrap_or_else(|e| std::panic::resume_unwind(e));
    eprintln!(
        "compressed: {compress}; {silent} of {DAMAGES} damages hit only bytes that nothing reads"
    );
    // Otherwise it is not the file's contents that are damaged.
    assert!(
        silent * 4 < DAMAGES,
        "{silent} of {DAMAGES} damages unnoticed"
    );
}

#[test]
fn two_thousand_random_damages_are_errors_or_change_nothing() {
    survives_random_damages(false);
}

#[test]
fn two_thousand_random_damages_to_a_compressed_cache_are_errors_or_change_nothing() {
    survives_random_damages(true);
}

#[test]
fn a_damaged_string_length_does_not_hang() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.h5");
    write(&path, &clips(), &splits());
    let mut bytes = fs::read(&path).unwrap();
    let heap = bytes.windows(5).position(|window| window == b"GCOL\x01");
    // The second byte of the first string's length: the next object is then sought among zeros.
    bytes[heap.unwrap() + 16 + 9] ^= 0x0c;
    fs::write(&path, &bytes).unwrap();
    let message = read_all(&path).unwrap_err().to_string();
    assert!(message.contains("one that has no length"), "{message}");
}

#[test]
fn every_cut_off_cache_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.h5");
    write(&path, &clips(), &splits());
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let whole = file.metadata().unwrap().len();
    for len in (0..whole).rev() {
        file.set_len(len).unwrap();
        assert!(read_all(&path).is_err(), "{len} of {whole} bytes");
    }
}

#[test]
fn a_damaged_sample_is_found_at_its_first_read_and_by_verify() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.h5");
    write(&path, &clips(), &splits());
    let offset = hdf5::File::open(&path)
        .unwrap()
        .dataset("scores")
        .unwrap()
        .offset()
        .unwrap();
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
    assert!(
        message.contains("sample 1 (\"b\")") && message.contains("1 of 3 samples"),
        "{message}"
    );
}
