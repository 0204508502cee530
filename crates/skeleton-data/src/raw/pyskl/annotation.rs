//! The fields of one annotation.

use super::super::pickle::{Array, Document, Id, Mismatch};
use crate::names;

/// A clip's facts, and where its numbers lie.
pub(super) struct Annotation {
    pub(super) id: String,
    pub(super) label: Option<u32>,
    pub(super) image: Option<(u32, u32)>,
    pub(super) keypoints: Array,
    pub(super) scores: Option<Array>,
}

/// One annotation, or the id as far as it was known and what is wrong.
pub(super) fn annotation(
    document: &Document,
    item: Id,
) -> Result<Annotation, (Option<String>, Mismatch)> {
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

pub(super) fn name(document: &Document, id: Id) -> Result<String, Mismatch> {
    let text = document.text(id)?;
    if !names::is_name(text) {
        return Err(Mismatch::new(names::expected("a name"), names::found(text)));
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
