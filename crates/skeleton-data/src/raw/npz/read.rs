//! Arrays of an archive as streams.

use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use zip::ZipArchive;
use zip::read::ZipFile;

use super::header::{Npy, Wrong};
use super::{COORDINATES, JOINTS, MOST_FRAMES, PERSONS, ROW, SPLITS, id, wrong};
use crate::{Error, Result, Sequence, Values};

/// Deflate can't pack a byte into less than this share of one.
const BEST_RATIO: u64 = 1032;
/// Bytes of an entry read at once.
const BUFFER: usize = 1 << 16;

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// `x_SPLIT` and the labels of `y_SPLIT`.
pub(super) struct Part {
    pub(super) split: &'static str,
    pub(super) labels: Vec<u32>,
    x: Npy,
}

/// The pairs of arrays that there are, and how many classes they have.
pub(super) fn parts(path: &Path, bytes: &[u8]) -> Result<(Vec<Part>, usize)> {
    let mut archive = archive(path, bytes)?;
    let (mut parts, mut classes) = (Vec::new(), None);
    for split in SPLITS {
        let (x, y) = (format!("x_{split}"), format!("y_{split}"));
        let there = |name: &str| archive.index_for_name(&format!("{name}.npy")).is_some();
        match (there(&x), there(&y)) {
            (false, false) => continue,
            (true, true) => {}
            (found, _) => {
                let (lost, other) = if found { (&y, &x) } else { (&x, &y) };
                return Err(wrong(
                    path,
                    lost,
                    format!("an array beside {other}"),
                    "none",
                ));
            }
        }
        let (labels, k) = labels(path, &mut archive, &y)?;
        if *classes.get_or_insert(k) != k {
            let expected = format!("{} columns, as y_train has", classes.unwrap_or(0));
            return Err(wrong(path, &y, expected, k.to_string()));
        }
        let (head, _) = entry(path, &mut archive, &x)?;
        let form = matches!(head.shape[..], [n, t, ROW] if n == labels.len() && (1..=MOST_FRAMES).contains(&t));
        if !form {
            let expected = format!(
                "shape ({}, frames, {ROW}): 2 people, 25 joints, 3 coordinates",
                labels.len()
            );
            return Err(wrong(path, &x, expected, format!("{:?}", head.shape)));
        }
        parts.push(Part {
            split,
            labels,
            x: head,
        });
    }
    match classes {
        Some(classes) => Ok((parts, classes)),
        None => {
            let names: Vec<_> = archive.file_names().flatten().take(8).collect();
            let expected = "the arrays x_train, y_train, x_test, y_test";
            Err(wrong(path, "the archive", expected, format!("{names:?}")))
        }
    }
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
    let (head, len) =
        read.map_err(|(expected, found): Wrong| wrong(path, name, expected, found))?;
    let wanted = head.size().and_then(|bytes| bytes.checked_add(len as u64));
    if wanted != Some(size) {
        let expected = format!("{size} bytes with its head, as the archive says");
        let found = format!("shape {:?} of {}", head.shape, head.element.name());
        return Err(wrong(path, name, expected, found));
    }
    if size / BEST_RATIO > packed {
        let expected = format!("{packed} bytes to hold it");
        return Err(wrong(
            path,
            name,
            expected,
            format!("{size} bytes, more than they can"),
        ));
    }
    if head.fortran && head.shape.len() > 1 {
        return Err(wrong(path, name, "an array in C order", "Fortran order"));
    }
    Ok((head, file))
}

/// The class of each row, and how many columns there are.
fn labels(path: &Path, archive: &mut Archive, name: &str) -> Result<(Vec<u32>, usize)> {
    let (head, mut file) = entry(path, archive, name)?;
    let (rows, columns) = match head.shape[..] {
        [rows, columns] if columns > 0 => (rows, columns),
        _ => {
            let expected = "shape (clips, classes)";
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
        let mut set = (0..columns).filter(|&class| values.get(class) != 0.0);
        match (set.next(), set.next()) {
            (Some(class), None) if values.get(class) == 1.0 => labels.push(class as u32),
            _ => {
                let others = (0..columns)
                    .filter(|&class| values.get(class) != 0.0)
                    .count();
                let expected = "one 1 among zeros";
                return Err(wrong(
                    path,
                    &place(),
                    expected,
                    format!("{others} that are not zero"),
                ));
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
        return Err(std::io::Error::new(
            std::io::ErrorKind::UnexpectedEof,
            format!("{read} bytes of {len}"),
        ));
    }
    Ok(())
}

impl Part {
    pub(super) fn element_name(&self) -> &'static str {
        self.x.element.name()
    }

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
            && e.kind() != std::io::ErrorKind::UnexpectedEof
        {
            return Err(wrong(path, &name, "data of their checksum", e.to_string()).into());
        }
        Ok(())
    }
}

/// The frames of a clip so far, person by person.
#[derive(Default)]
struct Clip {
    people: [Option<Values>; PERSONS],
    /// Frames with someone in them, and zero frames between these.
    frames: usize,
    /// Zero frames since.
    zeros: usize,
}

impl Clip {
    fn push(&mut self, row: Values) {
        let numbers = row.view();
        if (0..ROW).all(|at| numbers.get(at) == 0.0) {
            self.zeros += 1;
            return;
        }
        let person = ROW / PERSONS;
        let pending = (self.frames + self.zeros) * person;
        for (slot, people) in self.people.iter_mut().enumerate() {
            let own = slot * person..(slot + 1) * person;
            if people.is_none() && own.clone().all(|at| numbers.get(at) == 0.0) {
                continue;
            }
            match (&row, people) {
                (Values::F16(row), people) => {
                    let people = people.get_or_insert_with(|| Values::F16(Vec::new()));
                    if let Values::F16(people) = people {
                        people.resize(pending, half::f16::ZERO);
                        people.extend(&row[own]);
                    }
                }
                (Values::F32(row), people) => {
                    let people = people.get_or_insert_with(|| Values::F32(Vec::new()));
                    if let Values::F32(people) = people {
                        people.resize(pending, 0.0);
                        people.extend(&row[own]);
                    }
                }
            }
        }
        self.frames += self.zeros + 1;
        self.zeros = 0;
    }

    fn sequence(self, id: String, label: u32) -> Sequence {
        let frames = self.frames;
        let mut present = self.people.into_iter().flatten();
        let mut persons = 0;
        let mut keypoints = Values::F32(Vec::new());
        if let Some(mut first) = present.next() {
            persons = 1;
            if let Some(second) = present.next() {
                persons = 2;
                match (&mut first, second) {
                    (Values::F16(first), Values::F16(second)) => first.extend(second),
                    (Values::F32(first), Values::F32(second)) => first.extend(second),
                    _ => unreachable!("all rows of an array have one type"),
                }
            }
            keypoints = first;
        }
        Sequence {
            id,
            label: Some(label),
            persons,
            frames,
            joints: JOINTS,
            coordinates: COORDINATES,
            keypoints,
            scores: None,
            image: None,
            subject: None,
            camera: None,
            setup: None,
        }
    }
}
