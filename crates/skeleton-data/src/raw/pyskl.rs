//! Annotation files of pyskl and its relatives: [`RawFormat::Pyskl`](super::RawFormat::Pyskl).

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::Contents;
use super::ntu::Name;
use super::pickle::{Array, Document, Id};
use crate::error::Mismatch;
use crate::map::Storage;
use crate::{Error, Form, Result, Sequence, names};

/// The annotations of a file, with their shapes checked.
pub(super) struct Annotations {
    document: Document,
    clips: Vec<Annotation>,
}

/// A clip's facts, and where its numbers lie.
struct Annotation {
    id: String,
    label: Option<u32>,
    image: Option<(u32, u32)>,
    keypoints: Array,
    scores: Option<Array>,
}

/// Reads everything of an annotation file but the numbers.
pub(super) fn open(path: &Path, storage: &Arc<Storage>) -> Result<(Contents, Annotations)> {
    let document = Document::run(path, storage)?;
    let (list, splits) = contents(&document)?;
    let items = document.items(list);
    let clips = annotations(&document, items.map_err(at(&document, "annotations"))?)?;
    let mut element_types = Vec::new();
    for clip in &clips {
        let name = clip.keypoints.element.name();
        if !element_types.contains(&name) {
            element_types.push(name);
        }
    }
    let shape = clips.first().map_or(&[0; 4][..], |c| &c.keypoints.shape);
    let largest = clips.iter().filter_map(|clip| clip.label).max();
    let contents = Contents {
        ids: clips.iter().map(|clip| clip.id.clone()).collect(),
        joints: shape[2],
        coordinates: shape[3],
        classes: largest.map_or(0, |label| label as usize + 1),
        element_types,
        splits: match splits {
            Some(splits) => read_splits(&document, splits)?,
            None => Vec::new(),
        },
    };
    Ok((contents, Annotations { document, clips }))
}

impl Annotations {
    /// Clip `index`, decoded.
    pub(super) fn read(&self, index: usize) -> Result<Sequence> {
        let clip = &self.clips[index];
        let values = |field: &str, array: &Array| {
            let place = format!("annotation {index} ({:?}): `{field}`", clip.id);
            let values = array.values(&self.document);
            values.map_err(at(&self.document, &place))
        };
        let scores = clip.scores.as_ref();
        let scores = scores.map(|scores| values("keypoint_score", scores));
        let shape = &clip.keypoints.shape;
        let ntu = Name::parse(&clip.id);
        Ok(Sequence {
            id: clip.id.clone(),
            label: clip.label,
            persons: shape[0],
            frames: shape[1],
            joints: shape[2],
            coordinates: shape[3],
            keypoints: values("keypoint", &clip.keypoints)?,
            scores: scores.transpose()?,
            image: clip.image,
            setup: ntu.map(|name| name.setup),
            camera: ntu.map(|name| name.camera),
            subject: ntu.map(|name| name.person),
        })
    }
}

/// Makes a mismatch an error at a place: `map_err(at(&document, "annotations"))`.
fn at(document: &Document, place: &str) -> impl Fn(Mismatch) -> Error {
    move |mismatch| mismatch.at(Form::Annotation, document.path(), place)
}

/// The list of annotations and the dict of splits.
fn contents(document: &Document) -> Result<(Id, Option<Id>)> {
    let root = document.root();
    if document.items(root).is_ok() {
        return Ok((root, None));
    }
    let wanted = "a dict with `annotations`, or a list of annotations";
    let wrong = |found: String| at(document, "the file")(Mismatch::new(wanted, found));
    let pairs = document.pairs(root).map_err(|e| wrong(e.found))?;
    let list = document.get(pairs, "annotations").ok_or_else(|| {
        let keys = pairs.iter().take(8);
        let keys: Vec<&str> = keys
            .filter_map(|(key, _)| document.text(*key).ok())
            .collect();
        wrong(format!("a dict with the keys {keys:?}"))
    })?;
    Ok((list, document.get(pairs, "split")))
}

fn annotations(document: &Document, items: &[Id]) -> Result<Vec<Annotation>> {
    let mut clips: Vec<Annotation> = Vec::new();
    let mut stored = 0usize;
    for (index, &item) in items.iter().enumerate() {
        let place = format!("annotation {index}");
        let pairs = document.pairs(item).map_err(at(document, &place))?;
        let id = id(document, pairs).map_err(at(document, &place))?;
        let place = format!("annotation {index} ({id:?})");
        let clip = annotation(document, pairs, id).map_err(at(document, &place))?;
        let shape = |clip: &Annotation| (clip.keypoints.shape[2], clip.keypoints.shape[3]);
        if let Some(first) = clips.first()
            && shape(&clip) != shape(first)
        {
            let ((v, c), (joints, coordinates)) = (shape(first), shape(&clip));
            let first = format!("as in annotation 0 ({:?})", first.id);
            let expected = format!("{v} joints of {c} coordinates, {first}");
            let wrong = Mismatch::new(expected, format!("{joints} of {coordinates}"));
            return Err(at(document, &place)(wrong));
        }
        // Arrays are shared by reference where a pickle says so; a file that lists one array a million times is a bomb.
        stored += clip.keypoints.stored() + clip.scores.as_ref().map_or(0, Array::stored);
        if stored > document.bytes().len().saturating_mul(4) {
            let expected = "clips with arrays of their own";
            let wrong = Mismatch::new(expected, "the same arrays in many annotations");
            return Err(at(document, &place)(wrong));
        }
        clips.push(clip);
    }
    let mut seen = HashSet::with_capacity(clips.len());
    for (index, clip) in clips.iter().enumerate() {
        if !seen.insert(clip.id.as_str()) {
            let wrong = Mismatch::new("an id of its own", format!("{:?} a second time", clip.id));
            return Err(at(document, &format!("annotation {index}"))(wrong));
        }
    }
    Ok(clips)
}

fn id(document: &Document, pairs: &[(Id, Id)]) -> Result<String, Mismatch> {
    let id = document.get(pairs, "frame_dir");
    match id.or_else(|| document.get(pairs, "filename")) {
        Some(id) => name(document, id),
        None => {
            let expected = "an id in `frame_dir` or `filename`";
            Err(Mismatch::new(expected, "neither"))
        }
    }
}

fn annotation(document: &Document, pairs: &[(Id, Id)], id: String) -> Result<Annotation, Mismatch> {
    let Some(keypoints) = field(document, pairs, "keypoint", Document::array)? else {
        return Err(no_keypoints(document, pairs));
    };
    let &[persons, frames, joints, coordinates] = &keypoints.shape[..] else {
        let expected = "`keypoint` of shape [persons, frames, joints, coordinates]";
        return Err(Mismatch::new(
            expected,
            format!("shape {:?}", keypoints.shape),
        ));
    };
    if joints == 0 || !(2..=3).contains(&coordinates) {
        let expected = "`keypoint` with joints of 2 or 3 coordinates";
        return Err(Mismatch::new(
            expected,
            format!("{joints} of {coordinates}"),
        ));
    }
    let scores = optional(document, pairs, "keypoint_score", Document::array)?;
    if let Some(scores) = &scores
        && scores.shape != keypoints.shape[..3]
    {
        let expected = format!("`keypoint_score` of shape {:?}", [persons, frames, joints]);
        return Err(Mismatch::new(expected, format!("{:?}", scores.shape)));
    }
    if let Some(total) = field(document, pairs, "total_frames", Document::integer)?
        && usize::try_from(total) != Ok(frames)
    {
        let expected = format!("`total_frames` of {frames}, the frames of `keypoint`");
        return Err(Mismatch::new(expected, total.to_string()));
    }
    Ok(Annotation {
        id,
        label: optional(document, pairs, "label", label)?.flatten(),
        image: optional(document, pairs, "img_shape", image)?,
        keypoints,
        scores,
    })
}

/// What `read` makes of a field, where it is there.
fn field<T>(
    document: &Document,
    pairs: &[(Id, Id)],
    name: &str,
    read: impl Fn(&Document, Id) -> Result<T, Mismatch>,
) -> Result<Option<T>, Mismatch> {
    let value = document.get(pairs, name).map(|id| read(document, id));
    let within = |e: Mismatch| Mismatch::new(format!("{} in `{name}`", e.expected), e.found);
    value.transpose().map_err(within)
}

/// The same of a field in which Python's None stands for nothing.
fn optional<T>(
    document: &Document,
    pairs: &[(Id, Id)],
    name: &str,
    read: impl Fn(&Document, Id) -> Result<T, Mismatch>,
) -> Result<Option<T>, Mismatch> {
    let unless_none = |document: &Document, id: Id| match document.is_none(id) {
        true => Ok(None),
        false => read(document, id).map(Some),
    };
    Ok(field(document, pairs, name, unless_none)?.flatten())
}

/// Why there are no keypoints: Kinetics comes as an index whose poses lie in other files.
fn no_keypoints(document: &Document, pairs: &[(Id, Id)]) -> Mismatch {
    let mut known = vec!["raw_file", "frame_inds", "box_score", "valid"];
    known.retain(|key| document.get(pairs, key).is_some());
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
    match names::is_name(text) {
        true => Ok(text.to_owned()),
        false => Err(Mismatch::new(names::expected("a name"), names::found(text))),
    }
}

/// -1 stands for no label.
fn label(document: &Document, id: Id) -> Result<Option<u32>, Mismatch> {
    let value = document.integer(id)?;
    match i32::try_from(value) {
        Ok(-1) => Ok(None),
        Ok(value @ 0..) if value.unsigned_abs() < names::MOST_CLASSES => {
            Ok(Some(value.unsigned_abs()))
        }
        _ => {
            let expected = format!("{}, or -1 for none", names::expected_label());
            Err(Mismatch::new(expected, value.to_string()))
        }
    }
}

fn image(document: &Document, id: Id) -> Result<(u32, u32), Mismatch> {
    let side = |id: Id| {
        let value = document.integer(id)?;
        u32::try_from(value).map_err(|_| Mismatch::new("a size in pixels", value.to_string()))
    };
    match document.items(id)? {
        &[height, width, ..] => Ok((side(height)?, side(width)?)),
        _ => Err(Mismatch::new("height and width", document.describe(id))),
    }
}

/// The splits, each id once.
fn read_splits(document: &Document, splits: Id) -> Result<Vec<(String, Vec<String>)>> {
    let wrong = at(document, "`split`");
    // Ids are shared by reference; a split that names a long one a million times must not become a million copies.
    let mut budget = document.bytes().len().saturating_mul(16);
    let mut out: Vec<(String, Vec<String>)> = Vec::new();
    for &(key, list) in document.pairs(splits).map_err(&wrong)? {
        let split = name(document, key).map_err(&wrong)?;
        let place = format!("split {split:?}");
        let within = at(document, &place);
        let mut seen = HashSet::new();
        let mut ids = Vec::new();
        for &item in document.items(list).map_err(&within)? {
            let id = document.text(item).map_err(&within)?;
            if !seen.insert(id) {
                continue;
            }
            let too_much = || Mismatch::new("ids that the file holds", "more text than it could");
            let left = budget.checked_sub(id.len());
            budget = left.ok_or_else(too_much).map_err(&within)?;
            ids.push(name(document, item).map_err(&within)?);
        }
        if out.iter().any(|(known, _)| *known == split) {
            let wrong = Mismatch::new("a name of its own", "the same name twice");
            return Err(within(wrong));
        }
        out.push((split, ids));
    }
    Ok(out)
}
