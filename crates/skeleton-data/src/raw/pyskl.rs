//! Annotation files of pyskl and its relatives: a pickle with a list of clips and, mostly, named splits.
//!
//! The fields of an annotation that are read: `frame_dir` (or `filename`), `label`, `keypoint` (m, t, v, c),
//! `keypoint_score` (m, t, v), `total_frames`, `img_shape`. A file may be the bare list without splits. Ids as NTU
//! RGB+D writes them (`S001C002P003R002A013`) give setup, camera and subject.
//!
//! A joint with a coordinate that is not finite (some trackers write NaN for one they lost) becomes a missing joint,
//! all zeros with score zero, and a score that is not finite becomes zero; both are counted
//! ([`PysklFile::repaired`]).

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::pickle::{Array, Document, Id, Mismatch};
use crate::sequence::Repaired;
use crate::{Error, Result, Sequence};

/// Longer names are refused: they can't be meant.
const LONGEST_NAME: usize = 1024;

/// A file of annotations, mapped: opening it checks every clip's shape, reading a clip decodes it.
pub struct PysklFile {
    document: Document,
    splits: Vec<(String, Vec<String>)>,
    clips: Vec<Annotation>,
    joints: usize,
    coordinates: usize,
    missing: AtomicUsize,
    scores: AtomicUsize,
}

/// A clip's facts, and where its numbers lie.
struct Annotation {
    id: String,
    label: Option<u32>,
    image: Option<(u32, u32)>,
    keypoints: Array,
    scores: Option<Array>,
}

impl PysklFile {
    /// Opens a file and checks the shapes of all its clips.
    ///
    /// # Errors
    /// A damaged pickle, a pickle that holds more than plain data, or annotations that aren't what they should be.
    pub fn open(path: &Path) -> Result<Self> {
        PysklFile::read(Document::open(path)?)
    }

    /// The same from bytes in memory; `name` is what messages call them.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(name: &Path, bytes: Vec<u8>) -> Result<Self> {
        PysklFile::read(Document::from_bytes(name, bytes)?)
    }

    fn read(document: Document) -> Result<Self> {
        let (list, splits) = contents(&document)?;
        let items = document
            .items(list)
            .map_err(|e| fault(&document, "annotations", e))?;
        let clips = annotations(&document, items)?;
        let splits = match splits {
            Some(splits) => read_splits(&document, splits)?,
            None => Vec::new(),
        };
        let (joints, coordinates) = clips
            .first()
            .map_or((0, 0), |c| (c.keypoints.shape[2], c.keypoints.shape[3]));
        let (missing, scores) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Ok(PysklFile {
            document,
            splits,
            clips,
            joints,
            coordinates,
            missing,
            scores,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.document.path()
    }

    /// The named splits as the file has them, without repetitions: they may name clips that the file lacks.
    pub fn splits(&self) -> &[(String, Vec<String>)] {
        &self.splits
    }

    /// How many clips there are.
    pub fn len(&self) -> usize {
        self.clips.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.clips.is_empty()
    }

    /// v, the same in all clips; 0 in a file without clips.
    pub fn joints(&self) -> usize {
        self.joints
    }

    /// c, the same in all clips; 0 in a file without clips.
    pub fn coordinates(&self) -> usize {
        self.coordinates
    }

    /// One more than the largest label: how many classes the labels ask for.
    pub fn classes(&self) -> usize {
        self.clips
            .iter()
            .filter_map(|clip| clip.label)
            .max()
            .map_or(0, |label| label as usize + 1)
    }

    /// The number types the keypoints are stored as, by numpy's names, in order of their first clip.
    pub fn element_types(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for clip in &self.clips {
            let name = clip.keypoints.element.name();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// What was repaired in the clips read so far.
    pub fn repaired(&self) -> Repaired {
        Repaired {
            joints: self.missing.load(Ordering::Relaxed),
            scores: self.scores.load(Ordering::Relaxed),
        }
    }

    /// All clips, in the order of the file.
    pub fn sequences(&self) -> impl Iterator<Item = Result<Sequence>> + '_ {
        (0..self.clips.len()).map(|index| self.sequence(index))
    }

    /// Clip `index`, decoded.
    ///
    /// # Errors
    /// When its numbers are not those of an array of its shape.
    ///
    /// # Panics
    /// When `index` is not below [`len`](Self::len).
    pub fn sequence(&self, index: usize) -> Result<Sequence> {
        let clip = &self.clips[index];
        let named = |field: &str, e| {
            fault(
                &self.document,
                &format!("annotation {index} ({:?}): {field}", clip.id),
                e,
            )
        };
        let shape = &clip.keypoints.shape;
        let scores = clip
            .scores
            .as_ref()
            .map(|scores| scores.values(&self.document))
            .transpose();
        let ntu = ntu_numbers(&clip.id);
        let mut sequence = Sequence {
            id: clip.id.clone(),
            label: clip.label,
            persons: shape[0],
            frames: shape[1],
            joints: shape[2],
            coordinates: shape[3],
            keypoints: clip
                .keypoints
                .values(&self.document)
                .map_err(|e| named("`keypoint`", e))?,
            scores: scores.map_err(|e| named("`keypoint_score`", e))?,
            image: clip.image,
            setup: ntu.map(|n| n[0]),
            camera: ntu.map(|n| n[1]),
            subject: ntu.map(|n| n[2]),
        };
        let repaired = sequence.repair();
        self.missing.fetch_add(repaired.joints, Ordering::Relaxed);
        self.scores.fetch_add(repaired.scores, Ordering::Relaxed);
        Ok(sequence)
    }
}

fn fault(document: &Document, place: &str, mismatch: Mismatch) -> Error {
    Error::Annotation {
        path: document.path().to_owned(),
        place: place.to_owned(),
        expected: mismatch.expected,
        found: mismatch.found,
    }
}

/// The list of annotations and the dict of splits.
fn contents(document: &Document) -> Result<(Id, Option<Id>)> {
    let root = document.root();
    if document.items(root).is_ok() {
        return Ok((root, None));
    }
    let wanted = "a dict with `annotations`, or a list of annotations";
    let pairs = document
        .pairs(root)
        .map_err(|e| fault(document, "the file", Mismatch::new(wanted, e.found)))?;
    let list = document.get(pairs, "annotations").ok_or_else(|| {
        let keys: Vec<&str> = pairs
            .iter()
            .take(8)
            .filter_map(|(key, _)| document.text(*key).ok())
            .collect();
        fault(
            document,
            "the file",
            Mismatch::new(wanted, format!("a dict with the keys {keys:?}")),
        )
    })?;
    Ok((list, document.get(pairs, "split")))
}

fn annotations(document: &Document, items: &[Id]) -> Result<Vec<Annotation>> {
    let mut clips: Vec<Annotation> = Vec::new();
    let mut stored = 0usize;
    for (index, &item) in items.iter().enumerate() {
        let clip = annotation(document, item).map_err(|(id, e)| {
            let place = match id {
                Some(id) => format!("annotation {index} ({id:?})"),
                None => format!("annotation {index}"),
            };
            fault(document, &place, e)
        })?;
        let place = || format!("annotation {index} ({:?})", clip.id);
        if let Some(first) = clips.first() {
            let (v, c) = (first.keypoints.shape[2], first.keypoints.shape[3]);
            let (joints, coordinates) = (clip.keypoints.shape[2], clip.keypoints.shape[3]);
            if (joints, coordinates) != (v, c) {
                let expected = format!(
                    "{v} joints of {c} coordinates, as in annotation 0 ({:?})",
                    first.id
                );
                let found = format!("{joints} of {coordinates}");
                return Err(fault(document, &place(), Mismatch::new(expected, found)));
            }
        }
        // Arrays are shared by reference where a pickle says so; a file that lists one array a million times is a bomb.
        stored += clip.keypoints.stored() + clip.scores.as_ref().map_or(0, Array::stored);
        if stored > document.bytes().len().saturating_mul(4) {
            let wrong = Mismatch::new(
                "clips with arrays of their own",
                "the same arrays in many annotations",
            );
            return Err(fault(document, &place(), wrong));
        }
        clips.push(clip);
    }
    let mut seen = HashSet::with_capacity(clips.len());
    for (index, clip) in clips.iter().enumerate() {
        if !seen.insert(clip.id.as_str()) {
            let wrong = Mismatch::new("an id of its own", format!("{:?} a second time", clip.id));
            return Err(fault(document, &format!("annotation {index}"), wrong));
        }
    }
    Ok(clips)
}

/// One annotation, or the id as far as it was known and what is wrong.
fn annotation(document: &Document, item: Id) -> Result<Annotation, (Option<String>, Mismatch)> {
    let pairs = document.pairs(item).map_err(|e| (None, e))?;
    let id = document
        .get(pairs, "frame_dir")
        .or_else(|| document.get(pairs, "filename"));
    let id = id.ok_or_else(|| {
        (
            None,
            Mismatch::new("an id in `frame_dir` or `filename`", "neither"),
        )
    })?;
    let id = name(document, id).map_err(|e| (None, e))?;
    match fields(document, pairs) {
        Ok((label, image, keypoints, scores)) => Ok(Annotation {
            id,
            label,
            image,
            keypoints,
            scores,
        }),
        Err(wrong) => Err((Some(id), wrong)),
    }
}

type Fields = (Option<u32>, Option<(u32, u32)>, Array, Option<Array>);

fn fields(document: &Document, pairs: &[(Id, Id)]) -> Result<Fields, Mismatch> {
    let within =
        |field: &str, e: Mismatch| Mismatch::new(format!("{} in `{field}`", e.expected), e.found);
    let keypoint = document
        .get(pairs, "keypoint")
        .ok_or_else(|| no_keypoints(document, pairs))?;
    let keypoints = document
        .array(keypoint)
        .map_err(|e| within("keypoint", e))?;
    let &[persons, frames, joints, coordinates] = &keypoints.shape[..] else {
        let found = format!("shape {:?}", keypoints.shape);
        return Err(Mismatch::new(
            "`keypoint` of shape [persons, frames, joints, coordinates]",
            found,
        ));
    };
    if joints == 0 || !(2..=3).contains(&coordinates) {
        let found = format!("{joints} of {coordinates}");
        return Err(Mismatch::new(
            "`keypoint` with joints of 2 or 3 coordinates",
            found,
        ));
    }
    let scores = document
        .get(pairs, "keypoint_score")
        .filter(|&id| !document.is_none(id));
    let scores = scores
        .map(|id| document.array(id).map_err(|e| within("keypoint_score", e)))
        .transpose()?;
    if let Some(scores) = &scores
        && scores.shape != keypoints.shape[..3]
    {
        let expected = format!("`keypoint_score` of shape {:?}", [persons, frames, joints]);
        return Err(Mismatch::new(expected, format!("{:?}", scores.shape)));
    }
    if let Some(total) = document.get(pairs, "total_frames") {
        let total = document
            .integer(total)
            .map_err(|e| within("total_frames", e))?;
        if usize::try_from(total) != Ok(frames) {
            let expected = format!("`total_frames` of {frames}, the frames of `keypoint`");
            return Err(Mismatch::new(expected, total.to_string()));
        }
    }
    let label = document
        .get(pairs, "label")
        .map(|id| label(document, id))
        .transpose();
    let image = document
        .get(pairs, "img_shape")
        .map(|id| image(document, id))
        .transpose();
    Ok((
        label.map_err(|e| within("label", e))?.flatten(),
        image.map_err(|e| within("img_shape", e))?.flatten(),
        keypoints,
        scores,
    ))
}

/// Why there are no keypoints: Kinetics comes as an index whose poses lie in other files.
fn no_keypoints(document: &Document, pairs: &[(Id, Id)]) -> Mismatch {
    let index = ["raw_file", "frame_inds", "box_score", "valid"];
    let known: Vec<&str> = index
        .into_iter()
        .filter(|key| document.get(pairs, key).is_some())
        .collect();
    if known.is_empty() {
        return Mismatch::new("`keypoint`", "an annotation without it");
    }
    Mismatch::new(
        "`keypoint`, the poses themselves",
        format!(
            "an index as pyskl publishes for Kinetics-400 (it has `{}`): the poses of each clip lie in files of their \
             own, which this index only points to",
            known.join("`, `")
        ),
    )
}

fn name(document: &Document, id: Id) -> Result<String, Mismatch> {
    let text = document.text(id)?;
    if text.is_empty() || text.len() > LONGEST_NAME || text.contains('\0') {
        let found = format!("one of {} bytes, or with a zero byte", text.len());
        return Err(Mismatch::new(
            format!("a name of 1 to {LONGEST_NAME} bytes"),
            found,
        ));
    }
    Ok(text.to_owned())
}

/// None and -1 stand for no label.
fn label(document: &Document, id: Id) -> Result<Option<u32>, Mismatch> {
    if document.is_none(id) {
        return Ok(None);
    }
    let value = document.integer(id)?;
    match i32::try_from(value) {
        Ok(-1) => Ok(None),
        Ok(value @ 0..) => Ok(Some(value.unsigned_abs())),
        _ => Err(Mismatch::new(
            "a class from 0, or -1 for none",
            value.to_string(),
        )),
    }
}

fn image(document: &Document, id: Id) -> Result<Option<(u32, u32)>, Mismatch> {
    if document.is_none(id) {
        return Ok(None);
    }
    let side = |id: Id| {
        let value = document.integer(id)?;
        u32::try_from(value).map_err(|_| Mismatch::new("a size in pixels", value.to_string()))
    };
    match document.items(id)? {
        &[height, width, ..] => Ok(Some((side(height)?, side(width)?))),
        _ => Err(Mismatch::new("height and width", document.describe(id))),
    }
}

fn read_splits(document: &Document, splits: Id) -> Result<Vec<(String, Vec<String>)>> {
    let wrong = |e| fault(document, "`split`", e);
    // Ids are shared by reference; a split that names a long one a million times must not become a million copies.
    let mut budget = document.bytes().len().saturating_mul(16);
    let mut out: Vec<(String, Vec<String>)> = Vec::new();
    for &(key, list) in document.pairs(splits).map_err(wrong)? {
        let split = name(document, key).map_err(wrong)?;
        let within = |e| fault(document, &format!("split {split:?}"), e);
        let mut seen = HashSet::new();
        let mut ids = Vec::new();
        for &item in document.items(list).map_err(within)? {
            let id = document.text(item).map_err(within)?;
            if !seen.insert(id) {
                continue;
            }
            let left = budget.checked_sub(id.len());
            budget = left.ok_or_else(|| {
                within(Mismatch::new(
                    "ids that the file holds",
                    "more text than it could",
                ))
            })?;
            ids.push(name(document, item).map_err(within)?);
        }
        if out.iter().any(|(known, _)| *known == split) {
            return Err(within(Mismatch::new(
                "a name of its own",
                "the same name twice",
            )));
        }
        out.push((split, ids));
    }
    Ok(out)
}

/// Setup, camera and subject of a name as NTU RGB+D writes it.
fn ntu_numbers(id: &str) -> Option<[u32; 3]> {
    let id = id.as_bytes();
    if id.len() != 20 {
        return None;
    }
    let mut numbers = [0; 5];
    for ((chunk, letter), number) in id.chunks_exact(4).zip(b"SCPRA").zip(&mut numbers) {
        if chunk[0] != *letter || !chunk[1..].iter().all(u8::is_ascii_digit) {
            return None;
        }
        *number = chunk[1..]
            .iter()
            .fold(0, |n, digit| n * 10 + u32::from(digit - b'0'));
    }
    Some([numbers[0], numbers[1], numbers[2]])
}
