//! The `.npz` archives of CTR-GCN and its relatives (MAMP and others read the same files): NTU RGB+D as four arrays.
//!
//! | array | shape | meaning |
//! |---|---|---|
//! | `x_train`, `x_test` | (n, t, 150), floats | clip, frame, and 2 people x 25 joints (layout ntu25) x 3 coordinates |
//! | `y_train`, `y_test` | (n, k), numbers | one row a clip: 1 at its class, 0 elsewhere |
//!
//! The archive is a zip file of `.npy` entries, stored (`np.savez`) or deflated (`np.savez_compressed`); entries are read
//! as streams, a frame at a time. One of the two pairs may be missing; other arrays are ignored. Arrays in Fortran order are
//! refused: reading one clip would mean reading the whole array.
//!
//! # What is read
//!
//! - The clips of `x_train` and then those of `x_test`, with the ids `train-000000`, `train-000001`, ... and the splits
//!   `train` and `test`: the archive has no ids, no subjects and no cameras.
//! - A person whose coordinates are all zero in all frames is absent; where both are, the clip has no people.
//! - Frames at the end in which everything is zero are padding, and left out. Zero frames at the beginning or between
//!   others are kept.
//! - Half precision stays half, everything else becomes single. A joint with a coordinate that is not finite becomes a
//!   missing one, and is counted.
//!
//! # What is written
//!
//! [`write()`] makes such an archive of a layout of 25 joints in 3 coordinates with at most two people a clip: single
//! precision, deflated (most of it is padding), padded with zeros to 300 frames, or to the longest clip where that is longer.
//! Ids, scores, subjects, cameras and other splits have no place in it, and zero frames at the end of a clip look like padding.

mod write;

use std::io::{BufReader, Cursor, ErrorKind, Read};
use std::path::Path;

use zip::ZipArchive;
use zip::read::ZipFile;

use super::npy::Npy;
use super::{Contents, with_ids_of_ntu};
use crate::error::Mismatch;
use crate::names::MOST_CLASSES;
use crate::sequence::Number;
use crate::{Error, Form, Result, Sequence, Values};
pub use write::{NpzSummary, write};

/// v
pub const JOINTS: usize = 25;
/// c
pub const COORDINATES: usize = 3;
/// m
pub const PERSONS: usize = 2;
/// Numbers of a person in a frame.
const PERSON: usize = JOINTS * COORDINATES;
/// Numbers in a frame.
const ROW: usize = PERSONS * PERSON;
/// t as CTR-GCN writes it.
const FRAMES: usize = 300;
/// Longer clips are refused: an hour at 30 frames a second.
const MOST_FRAMES: usize = 1 << 17;
/// The names of the splits here and of the arrays there.
const SPLITS: [&str; 2] = ["train", "test"];

/// Deflate can't pack a byte into less than this share of one.
const BEST_RATIO: u64 = 1032;
/// Bytes of an entry read at once.
const BUFFER: usize = 1 << 16;

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// `x_SPLIT` and the labels of `y_SPLIT`.
pub(super) struct Part {
    split: &'static str,
    labels: Vec<u32>,
}

/// Checks the forms of an archive's arrays, and reads the labels.
pub(super) fn open(path: &Path, bytes: &[u8]) -> Result<(Contents, Vec<Part>)> {
    let mut archive = archive(path, bytes)?;
    let (mut parts, mut classes) = (Vec::new(), None);
    let mut contents = Contents {
        joints: JOINTS,
        coordinates: COORDINATES,
        ..Contents::default()
    };
    for split in SPLITS {
        let (x, y) = (format!("x_{split}"), format!("y_{split}"));
        let there = |name: &str| archive.index_for_name(&format!("{name}.npy")).is_some();
        match (there(&x), there(&y)) {
            (false, false) => continue,
            (true, true) => {}
            (found, _) => {
                let (lost, other) = if found { (&y, &x) } else { (&x, &y) };
                let expected = format!("an array beside {other}");
                return Err(wrong(path, lost, expected, "none"));
            }
        }
        let (head, _) = entry(path, &mut archive, &x)?;
        let &[n, t, ROW] = &head.shape[..] else {
            let expected =
                format!("shape (clips, frames, {ROW}): 2 people, 25 joints, 3 coordinates");
            return Err(wrong(path, &x, expected, format!("{:?}", head.shape)));
        };
        if !(1..=MOST_FRAMES).contains(&t) {
            let expected = format!("1 to {MOST_FRAMES} frames");
            return Err(wrong(path, &x, expected, t.to_string()));
        }
        let (labels, k) = labels(path, &mut archive, &y, n)?;
        if *classes.get_or_insert(k) != k {
            let expected = format!("{} columns, as y_train has", classes.unwrap_or(0));
            return Err(wrong(path, &y, expected, k.to_string()));
        }
        let ids: Vec<String> = (0..labels.len()).map(|index| id(split, index)).collect();
        contents.ids.extend_from_slice(&ids);
        contents.splits.push((split.to_owned(), ids));
        contents.element_types.push(head.element.name());
        parts.push(Part { split, labels });
    }
    contents.element_types.dedup();
    let Some(classes) = classes else {
        let names: Vec<_> = archive.file_names().flatten().take(8).collect();
        let expected = "the arrays x_train, y_train, x_test, y_test";
        return Err(wrong(path, "the archive", expected, format!("{names:?}")));
    };
    contents.classes = classes;
    Ok((contents, parts))
}

fn archive<'a>(path: &Path, bytes: &'a [u8]) -> Result<Archive<'a>> {
    ZipArchive::new(Cursor::new(bytes))
        .map_err(|e| wrong(path, "the archive", "a whole zip file", e.to_string()))
}

type Entry<'a, 'b> = BufReader<ZipFile<'b, Cursor<&'a [u8]>>>;

/// The head of an array, and its numbers as a stream.
fn entry<'a, 'b>(
    path: &Path,
    archive: &'b mut Archive<'a>,
    name: &str,
) -> Result<(Npy, Entry<'a, 'b>)> {
    let refused = |e: zip::result::ZipError| wrong(path, name, "a readable entry", e.to_string());
    let file = archive.by_name(&format!("{name}.npy")).map_err(refused)?;
    let (size, packed) = (file.size(), file.compressed_size());
    let mut file = BufReader::with_capacity(BUFFER, file);
    let read = Npy::read(&mut file);
    let (head, len) = read.map_err(|e| e.at(Form::Arrays, path, name))?;
    let wanted = head.size().and_then(|bytes| bytes.checked_add(len as u64));
    if wanted != Some(size) {
        let expected = format!("{size} bytes with its head, as the archive says");
        let found = format!("shape {:?} of {}", head.shape, head.element.name());
        return Err(wrong(path, name, expected, found));
    }
    if size / BEST_RATIO > packed {
        let expected = format!("{packed} bytes to hold it");
        let found = format!("{size} bytes, more than they can");
        return Err(wrong(path, name, expected, found));
    }
    if head.fortran && head.shape.len() > 1 {
        return Err(wrong(path, name, "an array in C order", "Fortran order"));
    }
    Ok((head, file))
}

/// The class of each of `rows` rows, and how many columns there are.
fn labels(
    path: &Path,
    archive: &mut Archive,
    name: &str,
    rows: usize,
) -> Result<(Vec<u32>, usize)> {
    let (head, mut file) = entry(path, archive, name)?;
    let columns = match head.shape[..] {
        [n, columns] if n == rows && (1..=MOST_CLASSES as usize).contains(&columns) => columns,
        _ => {
            let expected =
                format!("shape ({rows}, classes), a row a clip and {MOST_CLASSES} classes at most");
            return Err(wrong(path, name, expected, format!("{:?}", head.shape)));
        }
    };
    let mut labels = Vec::new();
    // Grows with what is there, not with what is claimed.
    let mut bytes = Vec::new();
    for row in 0..rows {
        let place = || format!("{name}, row {row}");
        take(&mut file, &mut bytes, columns * head.element.size())
            .map_err(|e| wrong(path, &place(), format!("{columns} numbers"), e.to_string()))?;
        let values = head.element.decode(&bytes, head.big);
        let values = values.view();
        let set = || (0..columns).filter(|&class| values.get(class) != 0.0);
        match (set().next(), set().nth(1)) {
            (Some(class), None) if values.get(class) == 1.0 => labels.push(class as u32),
            _ => {
                let found = format!("{} that are not zero", set().count());
                return Err(wrong(path, &place(), "one 1 among zeros", found));
            }
        }
    }
    Ok((labels, columns))
}

/// Exactly `len` bytes; memory grows as they come.
fn take(file: &mut impl Read, bytes: &mut Vec<u8>, len: usize) -> std::io::Result<()> {
    bytes.clear();
    let read = file.take(len as u64).read_to_end(bytes)?;
    if read < len {
        let found = format!("{read} bytes of {len}");
        return Err(std::io::Error::new(ErrorKind::UnexpectedEof, found));
    }
    Ok(())
}

impl Part {
    /// Shows the clips of this part to `visit`.
    pub(super) fn each<E: From<Error>>(
        &self,
        path: &Path,
        bytes: &[u8],
        mut visit: impl FnMut(Sequence) -> Result<(), E>,
    ) -> Result<(), E> {
        let name = format!("x_{}", self.split);
        let mut archive = archive(path, bytes)?;
        let (head, mut file) = entry(path, &mut archive, &name)?;
        let mut row = Vec::new();
        for (index, &label) in self.labels.iter().enumerate() {
            let mut clip = Clip::default();
            for _ in 0..head.shape[1] {
                take(&mut file, &mut row, ROW * head.element.size()).map_err(|e| {
                    let place = format!("{name}, clip {index}");
                    wrong(path, &place, "its frames", e.to_string())
                })?;
                clip.push(head.element.decode(&row, head.big));
            }
            visit(clip.sequence(id(self.split, index), label))?;
        }
        // The end of the entry is where its checksum is compared.
        let end = take(&mut file, &mut row, 1);
        if let Err(e) = end
            && e.kind() != ErrorKind::UnexpectedEof
        {
            return Err(wrong(path, &name, "data of their checksum", e.to_string()).into());
        }
        Ok(())
    }
}

/// The frames of a clip so far, as the array has them.
#[derive(Default)]
struct Clip {
    /// (t, m, v, c); none before the first frame.
    rows: Option<Values>,
    /// Zero frames since.
    zeros: usize,
}

impl Clip {
    fn push(&mut self, row: Values) {
        let frames = self.rows.get_or_insert_with(|| match &row {
            Values::F16(_) => Values::F16(Vec::new()),
            Values::F32(_) => Values::F32(Vec::new()),
        });
        let added = match (frames, row) {
            (Values::F16(rows), Values::F16(row)) => append(rows, self.zeros, &row),
            (Values::F32(rows), Values::F32(row)) => append(rows, self.zeros, &row),
            _ => unreachable!("all rows of an array have one type"),
        };
        self.zeros = if added { 0 } else { self.zeros + 1 };
    }

    fn sequence(self, id: String, label: u32) -> Sequence {
        let rows = self.rows.unwrap_or(Values::F32(Vec::new()));
        sequence(id, Some(label), &rows, [PERSONS, JOINTS, COORDINATES])
    }
}

/// A clip of rows (t, m, v, c), the lengths of whose last three axes are `shape`.
pub(super) fn sequence(
    id: String,
    label: Option<u32>,
    rows: &Values,
    [persons, joints, coordinates]: [usize; 3],
) -> Sequence {
    let person = joints * coordinates;
    let frames = rows.view().len() / (persons * person);
    let keypoints = match rows {
        // Nobody is held in single precision, whatever the array is.
        Values::F16(rows) if rows.is_empty() => Values::F32(Vec::new()),
        Values::F16(rows) => Values::F16(people(rows, persons, person)),
        Values::F32(rows) => Values::F32(people(rows, persons, person)),
    };
    let persons = keypoints.view().len() / (frames * person).max(1);
    with_ids_of_ntu(Sequence {
        label,
        ..Sequence::new(id, [persons, frames, joints, coordinates], keypoints)
    })
}

/// Appends a row after zero rows, unless it is one itself; says whether it did.
fn append<T: Number>(rows: &mut Vec<T>, zeros: usize, row: &[T]) -> bool {
    let is_zero = row.iter().all(|x| x.is_zero());
    if !is_zero {
        rows.resize(rows.len() + zeros * ROW, T::ZERO);
        rows.extend(row);
    }
    !is_zero
}

/// The people of (t, m, v, c) one after the other, without those that are zero everywhere; `person` numbers are one of `persons` in
/// a frame.
fn people<T: Number>(rows: &[T], persons: usize, person: usize) -> Vec<T> {
    let people = (0..persons).map(|number| {
        let own = rows.chunks_exact(person).skip(number).step_by(persons);
        own.flatten().copied().collect::<Vec<T>>()
    });
    people
        .filter(|own| own.iter().any(|x| !x.is_zero()))
        .flatten()
        .collect()
}

fn id(split: &str, index: usize) -> String {
    format!("{split}-{index:06}")
}

fn wrong(path: &Path, place: &str, expected: impl Into<String>, found: impl Into<String>) -> Error {
    Mismatch::new(expected, found).at(Form::Arrays, path, place)
}
