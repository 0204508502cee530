//! Annotation files of pyskl and its relatives: a pickle with a list of clips and, mostly, named splits.
//!
//! The fields of an annotation that are read: `frame_dir` (or `filename`), `label`, `keypoint` (m, t, v, c),
//! `keypoint_score` (m, t, v), `total_frames`, `img_shape`. A file may be the bare list without splits. Ids as NTU
//! RGB+D writes them (`S001C002P003R002A013`) give setup, camera and subject.
//!
//! A joint with a coordinate that is not finite (some trackers write NaN for one they lost) becomes a missing joint,
//! all zeros with score zero, and a score that is not finite becomes zero; both are counted
//! ([`PysklFile::repaired`]).

mod annotation;
mod splits;

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use annotation::{Annotation, annotation};
use splits::read_splits;

use super::ntu::Name;
use super::pickle::{Array, Document, Id, Mismatch};
use crate::{Error, Repaired, Result, Sequence};

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
        self.document.check()?;
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
        let ntu = Name::parse(&clip.id);
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
            setup: ntu.map(|name| name.setup),
            camera: ntu.map(|name| name.camera),
            subject: ntu.map(|name| name.person),
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
