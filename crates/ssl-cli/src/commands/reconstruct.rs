//! `ssl reconstruct`: a clip, what is hidden of it, and what a model puts in its place, drawn and in words.

use serde::Serialize;
use skeleton_data::draw::{Axis, Camera, Caption, Scene, Strip, strips};
use skeleton_data::normalize::Normalization;
use skeleton_data::reading::Reading;
use skeleton_data::{ClipSource, Sequence, Units, Values};
use skeleton_graph::Layout;
use skeleton_graph::random::{Key, Purpose, stream};
use skeletonmae::TrackBatch;
use skeletonmae::reconstruct::Picture;

use super::inspect::find;
use crate::args::ReconstructArgs;
use crate::checkpoint::{Kind, write_whole};
use crate::data::Data;
use crate::failure::{Failure, Outcome};
use crate::feed::Feed;
use crate::models::Opened;
use crate::outputs::vacant;
use crate::printer::Printer;
use crate::report::count;
use crate::signal::Interrupt;

/// Hides joints of one clip, puts them back, and shows both.
pub fn run(args: &ReconstructArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    vacant(&args.svg, &[&args.checkpoint, &args.data], args.overwrite)?;
    let opened = Opened::read(&args.checkpoint, Kind::Pretrain)?;
    let data = opened.data(&args.data)?;
    let index = clip(args, &data)?;
    let id = data.sample(index).id.to_owned();
    let hidden = hidden(args, &opened, &id)?;
    let feeds = opened.feeds(data.source(), Some(1), args.machine, printer, interrupt)?;
    let (_, model) = opened.autoencoder(&feeds.machine)?;
    let batch = read(&feeds.of(vec![index as u32], None)?)?;
    let picture = Picture::new(&model, data.layout(), &batch, &hidden)?;
    let truth: Vec<f32> = batch.keypoints.flatten_all()?.to_vec1()?;
    let drawing = Drawing {
        data: &data,
        index,
        id: &id,
        batch: &batch,
        hidden: &hidden,
        truth: &truth,
        picture: &picture,
        class: class(&data, index),
    };
    if let Some(path) = &args.svg {
        let facts = drawing.facts();
        write_whole(path, drawing.svg(args, &feeds.reading, &facts)?.as_bytes())?;
    }
    if args.json {
        return printer.json(&drawing.document()?);
    }
    let mut said = vec![format!("{id}: {}", drawing.facts())];
    said.extend(
        args.svg
            .iter()
            .map(|path| format!("drawn: {}", path.display())),
    );
    printer.document(&said.join("\n"))
}

/// The clip asked for, or the first of a split.
fn clip(args: &ReconstructArgs, data: &Data) -> Outcome<usize> {
    match (&args.clip, &args.split) {
        (Some(wanted), _) => find(data, wanted),
        (None, split) => {
            let split = split.as_deref().unwrap_or_default();
            // A split without clips was refused when it was looked up.
            Ok(data
                .split(split)?
                .first()
                .map_or(0, |&index| index as usize))
        }
    }
}

fn class(data: &Data, index: usize) -> Option<&str> {
    let label = data.sample(index).label?;
    Some(data.classes().get(label as usize)?.as_str())
}

/// (v): the parts asked for, or a draw of the mask that the model was trained by.
fn hidden(args: &ReconstructArgs, opened: &Opened, id: &str) -> Outcome<Vec<bool>> {
    let layout = &opened.layout;
    let refuse = |message: String| {
        let names: Vec<&str> = layout
            .parts()
            .iter()
            .map(|part| part.name.as_str())
            .collect();
        Failure::usage(message).hint(format!(
            "the parts of {} are {}",
            layout.name(),
            names.join(", ")
        ))
    };
    if args.parts.is_empty() {
        return drawn_mask(opened, id);
    }
    let mut hidden = vec![false; layout.len()];
    for name in &args.parts {
        let part = layout.parts().iter().find(|part| part.name == *name);
        let part = part.ok_or_else(|| {
            refuse(format!(
                "--parts: expected parts of the layout, found {name:?}"
            ))
        })?;
        part.joints.iter().for_each(|&joint| hidden[joint] = true);
    }
    match hidden.iter().all(|&hidden| hidden) {
        true => Err(refuse(
            "--parts: expected to leave a joint, found all of them".to_owned(),
        )),
        false => Ok(hidden),
    }
}

/// (v): a draw of the mask that the model was trained by, always the same for a clip.
pub fn drawn_mask(opened: &Opened, id: &str) -> Outcome<Vec<bool>> {
    let mask = &opened.reconstruction()?.mask;
    let mut stream = stream(0, Purpose::Mask, 0, Key::Clip(id));
    Ok(mask.draw(&opened.layout, &mut stream))
}

/// The one clip of a feed, as the model reads it.
pub fn read(feed: &Feed) -> Outcome<TrackBatch> {
    let batch = feed.batches(1).next();
    let batch = batch.ok_or_else(|| Failure::error("expected a clip, found none"))?;
    let batch = batch.map_err(skeletonmae::Error::Data)?;
    if batch.track_clip.is_empty() {
        let message = format!("{}: expected a person, found none", batch.ids.join(""));
        return Err(Failure::error(message).hint("choose another clip"));
    }
    Ok(batch)
}

/// The document of `--json`. Coordinates are normalised, as the model reads them: person, frame, joint, axis.
#[derive(Serialize)]
struct Document<'a> {
    id: &'a str,
    class: Option<&'a str>,
    tracks: usize,
    frames: usize,
    joints: &'a [String],
    hidden: Vec<&'a str>,
    /// Joints reconstructed, over all persons and frames.
    reconstructed: usize,
    /// Their mean distance from the truth.
    error: Option<f64>,
    /// That of the mean of their nearest visible joints.
    neighbours: Option<f64>,
    shape: [usize; 4],
    truth: &'a [f32],
    reconstruction: &'a [f32],
}

/// What is drawn and said.
struct Drawing<'a> {
    data: &'a Data,
    index: usize,
    id: &'a str,
    batch: &'a TrackBatch,
    hidden: &'a [bool],
    /// (n, t, v, c).
    truth: &'a [f32],
    picture: &'a Picture,
    class: Option<&'a str>,
}

impl Drawing<'_> {
    fn names(&self) -> Vec<&str> {
        let joints = self.data.layout().joints().iter().zip(self.hidden);
        joints
            .filter(|(_, hidden)| **hidden)
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// What is hidden and how far the model is off.
    fn facts(&self) -> String {
        let parts = named(self.data.layout(), self.hidden);
        let error = &self.picture.error;
        let errors = error.means().map_or(
            "no hidden joint was seen".to_owned(),
            |(model, neighbours)| {
                format!(
                    "off by {model:.2}, the mean of their nearest visible joints by {neighbours:.2}"
                )
            },
        );
        format!("hidden: {parts}; {errors} (normalised units)")
    }

    /// Everything, for programs.
    fn document(&self) -> Outcome<Document<'_>> {
        let (n, t, v, c) = self.batch.keypoints.dims4()?;
        let means = self.picture.error.means();
        Ok(Document {
            id: self.id,
            class: self.class,
            tracks: n,
            frames: t,
            joints: self.data.layout().joints(),
            hidden: self.names(),
            reconstructed: self.picture.error.joints,
            error: means.map(|means| means.0),
            neighbours: means.map(|means| means.1),
            shape: [n, t, v, c],
            truth: self.truth,
            reconstruction: &self.picture.coordinates,
        })
    }

    /// Three strips below each other.
    fn svg(&self, args: &ReconstructArgs, reading: &Reading, facts: &str) -> Outcome<String> {
        let (layout, cache) = (self.data.layout(), self.data.cache());
        let truth = self.sequence(self.truth, |_| true)?;
        let masked = self.sequence(self.truth, |joint| !self.hidden[joint])?;
        let made = self.sequence(&self.picture.coordinates, |_| true)?;
        let camera = camera((self.data, self.index), reading, &truth, args.up)?;
        let input = Scene::new(&truth.view(), layout, &camera)?;
        let masked = input.beside(&masked.view(), layout, &camera)?;
        let made = input.beside(&made.view(), layout, &camera)?;
        let strip = |name, scene, marked, ghost| Strip {
            name,
            scene,
            marked,
            ghost,
        };
        let rows = [
            strip("input", &input, &[][..], None),
            strip("what the encoder sees", &masked, &[], None),
            strip(
                "reconstructed (red), the truth in grey",
                &made,
                self.hidden,
                Some(&input),
            ),
        ];
        let caption = Caption {
            id: self.id,
            class: self.class.map(str::to_owned),
            dataset: cache.dataset(),
        };
        Ok(strips(&rows, &caption, facts, usize::from(args.frames)))
    }

    fn sequence(&self, coordinates: &[f32], kept: impl Fn(usize) -> bool) -> Outcome<Sequence> {
        sequence(self.batch, self.id, coordinates, kept)
    }
}

/// How to look at clip `index` of the data where it was read as `truth`: `up` says what is up, or the clip itself does.
pub fn camera(
    (data, index): (&Data, usize),
    reading: &Reading,
    truth: &Sequence,
    up: Option<Axis>,
) -> Outcome<Camera> {
    let cache = data.cache();
    // A normalisation that turns the body leaves only the body to say what is up.
    let (units, raw) = match reading.normalization {
        Normalization::View(_) => (Units::Normalised, truth.view()),
        _ => (cache.units(), cache.clip(index)?),
    };
    let up = up.unwrap_or_else(|| Axis::usual(units, &raw, data.layout()));
    Camera::new(up, truth.coordinates)
        .map_err(|error| Failure::from_error(&error).hint("--up says which axis points upwards"))
}

/// The clip of a batch of one with these coordinates (n, t, v, c); joints that were missing, or aren't `kept`, are zero, as drawings
/// take it.
pub fn sequence(
    batch: &TrackBatch,
    id: &str,
    coordinates: &[f32],
    kept: impl Fn(usize) -> bool,
) -> Outcome<Sequence> {
    let (n, t, v, c) = batch.keypoints.dims4()?;
    let mut values = coordinates.to_vec();
    for (row, point) in values.chunks_exact_mut(c).enumerate() {
        if !batch.presence[row] || !kept(row % v) {
            point.fill(0.0);
        }
    }
    Ok(Sequence {
        id: id.to_owned(),
        label: None,
        persons: n,
        frames: t,
        joints: v,
        coordinates: c,
        keypoints: Values::F32(values),
        scores: None,
        image: None,
        subject: None,
        camera: None,
        setup: None,
    })
}

/// `right arm, right leg`: whole parts by their names, other joints by theirs.
pub fn named(layout: &Layout, hidden: &[bool]) -> String {
    let whole = |joints: &[usize]| joints.iter().all(|&joint| hidden[joint]);
    let parts: Vec<_> = layout
        .parts()
        .iter()
        .filter(|part| whole(&part.joints))
        .collect();
    let in_part = |joint: usize| parts.iter().any(|part| part.joints.contains(&joint));
    let mut names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    let single = (0..layout.len()).filter(|&joint| hidden[joint] && !in_part(joint));
    names.extend(single.map(|joint| layout.joints()[joint].as_str()));
    match names.is_empty() {
        true => "nothing".to_owned(),
        false => format!(
            "{} ({})",
            names.join(", "),
            count(hidden.iter().filter(|&&h| h).count(), "joint")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_joints_are_named_by_their_parts() {
        let layout = Layout::built_in("coco17").unwrap();
        let mut hidden = vec![false; 17];
        [8, 10, 0]
            .into_iter()
            .for_each(|joint| hidden[joint] = true);
        assert_eq!(named(&layout, &hidden), "right arm, nose (3 joints)");
        assert_eq!(named(&layout, &[false; 17]), "nothing");
    }
}
