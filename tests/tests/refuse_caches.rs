//! Damaged and foreign caches: found out when opened, first read or verified, never used in silence.

use ssl_tests::program::Desk;
use ssl_tests::toy::{PRETRAIN, TOY};

fn desk() -> Desk {
    let desk = Desk::new();
    TOY.prepare(&desk, "toy", "coco17");
    desk
}

#[test]
fn what_is_no_cache_is_refused() {
    let desk = desk();
    desk.write("notes.h5", "not HDF5 at all");
    desk.write("empty.h5", "");
    for name in ["nowhere.h5", "notes.h5", "empty.h5", "toy.pkl"] {
        desk.ssl(&format!("inspect {name}")).refused(1, &[name]);
    }
}

#[test]
fn a_foreign_hdf5_file_is_refused() {
    let desk = desk();
    hdf5::File::create(desk.path("other.h5"))
        .expect("the temporary folder is writable")
        .close()
        .expect("it was open");
    desk.ssl("inspect other.h5")
        .refused(1, &["other.h5", "skeleton-cache"]);
}

#[test]
fn a_newer_schema_is_refused_by_its_number() {
    let desk = desk();
    let file = hdf5::File::open_rw(desk.path("toy.h5")).expect("we wrote it");
    let schema = file.attr("schema").expect("caches say their schema");
    schema.write_scalar(&7).expect("an integer");
    drop(schema);
    file.close().expect("it was open");
    desk.ssl("inspect toy.h5").refused(1, &["toy.h5", "7", "1"]);
}

#[test]
fn a_cut_off_cache_is_refused() {
    let desk = desk();
    let whole = desk.read("toy.h5");
    for part in [1, 8, 100, 2048, whole.len() / 2, whole.len() - 1] {
        desk.write("cut.h5", &whole[..part]);
        desk.ssl("inspect cut.h5 --verify").refused(1, &["cut.h5"]);
    }
}

/// Any byte: either it is refused, or it stood in space that stores nothing and the cache reads the same.
#[test]
fn a_flipped_byte_is_refused_or_stores_nothing() {
    let desk = desk();
    let whole = desk.read("toy.h5");
    let sound = desk.ssl("inspect toy.h5 --json --verify").success().stdout;
    let mut refused = 0;
    let places: Vec<usize> = (0..whole.len()).step_by(whole.len() / 400).collect();
    for &place in &places {
        let mut flipped = whole.clone();
        flipped[place] ^= 0x10;
        desk.write("toy.h5", &flipped);
        let done = desk.ssl("inspect toy.h5 --json --verify");
        if done.code == Some(0) {
            assert_eq!(done.stdout, sound, "byte {place} changed what is read");
        } else {
            done.refused(1, &["toy.h5"]);
            refused += 1;
        }
    }
    assert!(
        2 * refused > places.len(),
        "only {refused} of {} flipped bytes were found",
        places.len()
    );
}

/// Every byte of a clip's coordinates is under its checksum, and the clip is named.
#[test]
fn a_flipped_coordinate_is_found_with_its_clip() {
    let desk = desk();
    let mut bytes = desk.read("toy.h5");
    let pickle = TOY.pickle();
    // The first clip's coordinates stand in both files, bit for bit.
    let first = position(&pickle, b"keypoint").expect("the field's name");
    let sample = &pickle[first + 300..first + 400];
    let place = position(&bytes, sample).expect("coordinates are stored as they are");
    for at in [place, place + 50, place + 99] {
        bytes[at] ^= 1;
        desk.write("toy.h5", &bytes);
        desk.ssl("inspect toy.h5 --verify")
            .refused(1, &["toy.h5", "k0t00"]);
        // Without asking for it: at the first read.
        let train = desk.ssl(&format!(
            "pretrain --preset quick --data toy.h5 --split train --out run-{at} {PRETRAIN}"
        ));
        train.refused(1, &["toy.h5", "k0t00"]);
        bytes[at] ^= 1;
    }
}

#[test]
fn flipped_metadata_is_found_at_open() {
    let desk = desk();
    let whole = desk.read("toy.h5");
    for stored in [&b"skeleton-cache"[..], b"left_wrist", b"k1t03", b"pixel"] {
        let mut bytes = whole.clone();
        let place = position(&bytes, stored).unwrap_or_else(|| panic!("{stored:?} is stored"));
        bytes[place + 1] ^= 2;
        desk.write("toy.h5", &bytes);
        desk.ssl("inspect toy.h5").refused(1, &["toy.h5"]);
    }
}

#[test]
fn an_unknown_split_is_refused_with_those_that_are_there() {
    let desk = desk();
    let done = desk.ssl(&format!(
        "pretrain --preset quick --data toy.h5 --split trian --out run {PRETRAIN}"
    ));
    done.refused(1, &["toy.h5", "trian", "train", "test"]);
    assert!(
        !desk.path("run").exists(),
        "nothing is left of a run that never started"
    );
}

fn position(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}
