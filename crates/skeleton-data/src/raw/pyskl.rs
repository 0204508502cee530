//! Annotation files of pyskl and its relatives: [`RawFormat::Pyskl`](super::RawFormat::Pyskl).

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::pickle::{Array, Document, Id, Name};
use super::{Contents, with_ids_of_ntu};
use crate::error::Mismatch;
use crate::map::Storage;
use crate::{Error, Form, Result, Sequence, names};

/// What the splits may take however small the file is.
const FREE_SPLITS: usize = 1 << 16;
/// What an id in a split takes beside its text.
const FOR_AN_ID: usize = 96;

/// The annotations of a file, checked. Only where they lie is kept: what they say is read again with their numbers, since
/// it could be large where they share it.
pub(super) struct Annotations {
    document: Document,
    list: List,
}

/// Where the annotations are.
enum List {
    Many(Id),
    /// The file is one annotation; the id that it has where it doesn't say one.
    Single(Id, String),
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
    let annotations = Annotations { document, list };
    let mut contents = annotations.check()?;
    if let Some(splits) = splits {
        let ids = contents.ids.iter().map(String::as_str).collect();
        contents.splits = read_splits(&annotations.document, splits, &ids)?;
    }
    Ok((contents, annotations))
}

impl Annotations {
    /// Looks at all of them; returns what they have in common and their ids.
    fn check(&self) -> Result<Contents> {
        let (document, mut contents) = (&self.document, Contents::default());
        let mut seen = HashSet::new();
        let (mut first, mut stored) = (String::new(), 0usize);
        for index in 0..self.items()?.len() {
            let clip = self.annotation(index)?;
            let wrong = |expected: String, found: String| {
                let place = self.place(index, Some(&clip.id));
                Err(at(document, &place)(Mismatch::new(expected, found)))
            };
            let &[_, _, v, c] = &clip.keypoints.shape[..] else {
                return wrong("four axes".into(), "others".into());
            };
            if index == 0 {
                (contents.joints, contents.coordinates) = (v, c);
                first = format!("as in annotation 0 ({:?})", clip.id);
            } else if (v, c) != (contents.joints, contents.coordinates) {
                let (joints, coordinates) = (contents.joints, contents.coordinates);
                let expected = format!("{joints} joints of {coordinates} coordinates, {first}");
                return wrong(expected, format!("{v} of {c}"));
            }
            // Arrays are shared by reference where a pickle says so; a file that lists one array a million times is a bomb.
            stored += clip.keypoints.stored() + clip.scores.as_ref().map_or(0, Array::stored);
            if stored > document.bytes().len().saturating_mul(4) {
                let found = "the same arrays in many annotations";
                return wrong("clips with arrays of their own".into(), found.into());
            }
            let name = clip.keypoints.element.name();
            if !contents.element_types.contains(&name) {
                contents.element_types.push(name);
            }
            let classes = clip.label.map_or(0, |label| label as usize + 1);
            contents.classes = contents.classes.max(classes);
            if !seen.insert(clip.id.clone()) {
                let found = format!("{:?} a second time", clip.id);
                return wrong("an id of its own".into(), found);
            }
            contents.ids.push(clip.id);
        }
        Ok(contents)
    }

    fn items(&self) -> Result<&[Id]> {
        match &self.list {
            List::Many(list) => {
                let items = self.document.items(*list);
                items.map_err(at(&self.document, "annotations"))
            }
            List::Single(only, _) => Ok(std::slice::from_ref(only)),
        }
    }

    /// Annotation `index`.
    fn annotation(&self, index: usize) -> Result<Annotation> {
        let (document, item) = (&self.document, self.items()?[index]);
        let id_else = match &self.list {
            List::Many(_) => None,
            List::Single(_, id) => Some(id.as_str()),
        };
        let wrong = |mismatch: Mismatch| at(document, &self.place(index, None))(mismatch);
        let pairs = document.pairs(item).map_err(wrong)?;
        let id = id(document, pairs, id_else).map_err(wrong)?;
        annotation(document, pairs, id.clone())
            .map_err(|mismatch| at(document, &self.place(index, Some(&id)))(mismatch))
    }

    /// What messages call annotation `index`; made when there is a message.
    fn place(&self, index: usize, id: Option<&str>) -> String {
        let place = match &self.list {
            List::Many(_) => format!("annotation {index}"),
            List::Single(..) => "the annotation".to_owned(),
        };
        id.map_or(place.clone(), |id| format!("{place} ({id:?})"))
    }

    /// Clip `index`, decoded.
    pub(super) fn read(&self, index: usize) -> Result<Sequence> {
        let clip = self.annotation(index)?;
        let values = |field: &str, array: &Array| {
            array.values(&self.document).map_err(|mismatch| {
                let place = format!("{}: `{field}`", self.place(index, Some(&clip.id)));
                at(&self.document, &place)(mismatch)
            })
        };
        let scores = clip.scores.as_ref();
        let scores = scores.map(|scores| values("keypoint_score", scores));
        let &[m, t, v, c] = &clip.keypoints.shape[..] else {
            unreachable!("four axes were checked when the annotation was read");
        };
        let keypoints = values("keypoint", &clip.keypoints)?;
        Ok(with_ids_of_ntu(Sequence {
            label: clip.label,
            scores: scores.transpose()?,
            image: clip.image,
            ..Sequence::new(clip.id, [m, t, v, c], keypoints)
        }))
    }
}

/// Makes a mismatch an error at a place: `map_err(at(&document, "annotations"))`.
fn at(document: &Document, place: &str) -> impl Fn(Mismatch) -> Error {
    move |mismatch| mismatch.at(Form::Annotation, document.path(), place)
}

/// The annotations and the dict of splits.
fn contents(document: &Document) -> Result<(List, Option<Id>)> {
    let root = document.root();
    if document.items(root).is_ok() {
        return Ok((List::Many(root), None));
    }
    let wanted = "a dict with `annotations`, a list of annotations, or one annotation";
    let wrong = |found: String| at(document, "the file")(Mismatch::new(wanted, found));
    let pairs = document.pairs(root).map_err(|e| wrong(e.found))?;
    if let Some(list) = document.get(pairs, "annotations") {
        return Ok((List::Many(list), document.get(pairs, "split")));
    }
    if document.get(pairs, "keypoint").is_some() {
        let id = super::stem(document.path());
        return Ok((List::Single(root, id), None));
    }
    let mut found = format!("a dict with the keys {:?}", keys(document, pairs));
    if let Some(&(_, value)) = pairs.first()
        && let Ok(inner) = document.pairs(value)
        && document.get(inner, "keypoint").is_some()
    {
        found += "; if its values are the annotations, list(data.values()) is their list";
    }
    Err(wrong(found))
}

/// The first keys of a dict.
fn keys<'d>(document: &'d Document, pairs: &[(Id, Id)]) -> Vec<&'d str> {
    let keys = pairs.iter().take(8);
    keys.filter_map(|(key, _)| document.text(*key).ok())
        .collect()
}

/// The first of `frame_dir` and `filename` that says something, else what the file is called where it is one annotation.
fn id(document: &Document, pairs: &[(Id, Id)], id_else: Option<&str>) -> Result<String, Mismatch> {
    let mut empty = None;
    for field in ["frame_dir", "filename"] {
        let within = |e: Mismatch| Mismatch::new(format!("{} in `{field}`", e.expected), e.found);
        let Some(value) = document.get(pairs, field) else {
            continue;
        };
        if document.is_none(value) || document.text(value).is_ok_and(str::is_empty) {
            empty = empty.or(Some(format!("{} in `{field}`", document.describe(value))));
            continue;
        }
        let text = document.name(value).and_then(name);
        return text.map_err(within);
    }
    if let Some(id) = id_else {
        return name(Name::text(id));
    }
    let expected = "an id in `frame_dir` or `filename`";
    Err(Mismatch::new(expected, empty.unwrap_or("neither".into())))
}

fn annotation(document: &Document, pairs: &[(Id, Id)], id: String) -> Result<Annotation, Mismatch> {
    let keypoints = keypoints(document, pairs)?;
    let (frames, shape) = (keypoints.shape[1], &keypoints.shape[..3]);
    let scores = optional(document, pairs, "keypoint_score", Document::numbers)?;
    if let Some(scores) = &scores
        && scores.shape != shape
    {
        let expected = format!("`keypoint_score` of shape {shape:?}");
        return Err(Mismatch::new(expected, format!("{:?}", scores.shape)));
    }
    if let Some(total) = optional(document, pairs, "total_frames", Document::integer)?
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

/// The poses, of a shape with four axes.
fn keypoints(document: &Document, pairs: &[(Id, Id)]) -> Result<Array, Mismatch> {
    if let Some(value) = document.get(pairs, "keypoint")
        && document.is_none(value)
    {
        let found = "None; a clip without anybody has np.zeros((0, T, V, C), dtype=np.float32)";
        return Err(Mismatch::new("a numpy array in `keypoint`", found));
    }
    let Some(keypoints) = field(document, pairs, "keypoint", Document::numbers)? else {
        return Err(no_keypoints(document, pairs));
    };
    let &[persons, frames, joints, columns] = &keypoints.shape[..] else {
        let expected = "`keypoint` of shape [persons, frames, joints, coordinates]";
        let mut found = format!("shape {:?}", keypoints.shape);
        if let [_, _, 2..=4] = keypoints.shape[..] {
            found += "; keypoint[None] is the same of one person";
        }
        return Err(Mismatch::new(expected, found));
    };
    if joints == 0 || !(2..=4).contains(&columns) {
        let expected = "`keypoint` with joints of 2 or 3 coordinates, and at most 4 columns";
        let found = format!("{joints} of {columns}");
        return Err(Mismatch::new(expected, found));
    }
    let most = persons.max(frames).max(joints);
    if keypoints.len() == 0 && most > names::MOST_WITHOUT_NUMBERS {
        let most = names::MOST_WITHOUT_NUMBERS;
        let expected = format!("`keypoint` without numbers of at most {most} on an axis");
        return Err(Mismatch::new(
            expected,
            format!("shape {:?}", keypoints.shape),
        ));
    }
    Ok(keypoints)
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
        let found = format!("an annotation with the keys {:?}", keys(document, pairs));
        return Mismatch::new("`keypoint`", found);
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

pub(super) fn name(name: Name) -> Result<String, Mismatch> {
    match names::is_name(&name.text) {
        true => Ok(name.text.into_owned()),
        false => Err(Mismatch::new(
            names::expected("a name"),
            names::found(&name.text),
        )),
    }
}

fn label(document: &Document, id: Id) -> Result<Option<u32>, Mismatch> {
    label_of(document.integer(id)?)
}

/// -1 stands for no label.
pub(super) fn label_of(value: i64) -> Result<Option<u32>, Mismatch> {
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
    let side = |value: i64| {
        u32::try_from(value).map_err(|_| Mismatch::new("a size in pixels", value.to_string()))
    };
    let wrong = || Mismatch::new("height and width", document.describe(id));
    if let Ok(items) = document.items(id) {
        return match items {
            &[height, width, ..] => {
                let (height, width) = (document.integer(height)?, document.integer(width)?);
                Ok((side(height)?, side(width)?))
            }
            _ => Err(wrong()),
        };
    }
    let array = document.array(id).map_err(|_| wrong())?;
    let mut sides = Vec::new();
    if let [2..=4] = array.shape[..] {
        array.integers(document, &mut |value| {
            sides.push(side(value)?);
            Ok(())
        })?;
    }
    match sides[..] {
        [height, width, ..] => Ok((height, width)),
        _ => Err(wrong()),
    }
}

/// The splits, each id once.
fn read_splits(
    document: &Document,
    splits: Id,
    clips: &HashSet<&str>,
) -> Result<Vec<(String, Vec<String>)>> {
    let wrong = at(document, "`split`");
    // Lists and ids are shared by reference: splits that name them again and again must neither take long nor become copies.
    let mut budget = FREE_SPLITS.saturating_add(document.bytes().len().saturating_mul(16));
    let mut spend = move |cost: usize| {
        let too_much = || Mismatch::new("ids that the file holds", "more text than it could");
        budget = budget.checked_sub(cost).ok_or_else(too_much)?;
        Ok(())
    };
    let mut out: Vec<(String, Vec<String>)> = Vec::new();
    let mut names = HashSet::new();
    for &(key, list) in document.pairs(splits).map_err(&wrong)? {
        let split = document.name(key).and_then(name).map_err(&wrong)?;
        let place = format!("split {split:?}");
        let within = at(document, &place);
        spend(FOR_AN_ID + split.len()).map_err(&within)?;
        if !names.insert(split.clone()) {
            let wrong = Mismatch::new("a name of its own", "the same name twice");
            return Err(within(wrong));
        }
        let (mut seen, mut ids) = (HashSet::new(), Vec::new());
        let mut visit = |id: Name| {
            spend(1)?;
            if seen.contains(&*id.text) {
                return Ok(());
            }
            spend(FOR_AN_ID + id.text.len())?;
            if id.is_integer && !clips.contains(&*id.text) {
                let (expected, found) = (
                    "the id of a clip",
                    format!(
                        "the integer {}, which is none; if it counts clips, [ids[i] for i in {split}] has their ids",
                        id.text
                    ),
                );
                return Err(Mismatch::new(expected, found));
            }
            let id = name(id)?;
            seen.insert(id.clone());
            ids.push(id);
            Ok(())
        };
        document.each_name(list, &mut visit).map_err(&within)?;
        out.push((split, ids));
    }
    Ok(out)
}
