//! A clip as it is seen: the viewer's axes, in units of its own size; and what changes from frame to frame, where joints vanish
//! and where they jump.

use skeleton_graph::Layout;

use super::camera::Camera;
use super::svg::{Paint, paints};
use crate::survey::Extent;
use crate::{ClipView, Result};

/// People drawn at most: those stored first.
const MOST_PEOPLE: usize = 8;
/// How far from the middle a joint is drawn at most, in sizes of the scene: what lies farther is drawn there.
pub(super) const FAR: f32 = 8.0;

/// A clip's geometry: joints in the viewer's axes, around 0, most of them within 1 of it.
#[derive(Clone, Debug)]
pub struct Scene {
    /// t, all frames of the clip.
    pub(super) frames: usize,
    /// v.
    pub(super) joints: Vec<String>,
    /// (child, parent).
    pub(super) bones: Vec<(usize, usize)>,
    pub(super) paints: Vec<Paint>,
    pub(super) people: Vec<Person>,
    /// People with a present joint that are not drawn.
    pub(super) more_people: usize,
    /// Whether there is depth.
    pub(super) spatial: bool,
    /// What is up.
    pub(super) up: super::Axis,
    /// Share of missing joints, of the people drawn.
    pub(super) missing: f64,
    /// What changes from frame to frame.
    pub(super) trace: Trace,
    /// Centre and half extent of the clip, by which coordinates were normalised.
    frame: ([f32; 3], f32),
}

/// One person.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// The number in the source, from 1.
    pub number: usize,
    /// (t, v), finite, within [`FAR`]; `None` where the joint is missing.
    pub places: Vec<Option<[f32; 3]>>,
    /// (t, v), where there are scores.
    pub scores: Option<Vec<f32>>,
}

impl Scene {
    /// The clip as `camera` sees it. A joint is missing when its coordinates are all zero or not finite, or its score is
    /// not above 0.
    ///
    /// # Errors
    /// A clip whose joints aren't the layout's, or whose arrays don't have the lengths that its shape promises.
    pub fn new(clip: &ClipView<'_>, layout: &Layout, camera: &Camera) -> Result<Scene> {
        Scene::framed(clip, layout, camera, None)
    }

    /// The same of another clip, in this scene's place and size, so that the two can be laid upon each other.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn beside(&self, clip: &ClipView<'_>, layout: &Layout, camera: &Camera) -> Result<Scene> {
        Scene::framed(clip, layout, camera, Some(self.frame))
    }

    fn framed(
        clip: &ClipView<'_>,
        layout: &Layout,
        camera: &Camera,
        frame: Option<([f32; 3], f32)>,
    ) -> Result<Scene> {
        clip.check(layout.len())?;
        let mut people: Vec<Person> = (0..clip.persons)
            .filter_map(|index| Person::seen(clip, index, camera))
            .collect();
        let more_people = people.len().saturating_sub(MOST_PEOPLE);
        people.truncate(MOST_PEOPLE);
        let (middle, size) = frame.unwrap_or_else(|| frame_of(&people));
        let places = people.iter_mut().flat_map(|person| &mut person.places);
        for place in places.flatten() {
            for c in 0..3 {
                place[c] = ((place[c] - middle[c]) / size).clamp(-FAR, FAR);
            }
        }
        let places = || people.iter().flat_map(|person| &person.places);
        let (all, missing) = (
            places().count(),
            places().filter(|place| place.is_none()).count(),
        );
        Ok(Scene {
            frames: clip.frames,
            joints: layout.joints().to_vec(),
            bones: layout.edges().to_vec(),
            paints: paints(layout),
            trace: trace(&people, clip.frames, layout.len()),
            people,
            more_people,
            spatial: clip.coordinates == 3,
            up: camera.axis,
            missing: missing as f64 / all.max(1) as f64,
            frame: (middle, size),
        })
    }

    /// `count` frames, evenly spaced from the first to the last; all where there are fewer.
    pub(super) fn spaced(&self, count: usize) -> Vec<usize> {
        let shown = count.min(self.frames);
        let frame = |i: usize| i * (self.frames - 1) / (shown - 1).max(1);
        (0..shown).map(frame).collect()
    }

    /// What its joints are drawn as, for a legend.
    pub(super) fn legend(&self) -> impl Iterator<Item = Paint> {
        let used = |paint: &Paint| self.paints.contains(paint);
        Paint::ALL.into_iter().filter(used)
    }

    /// A sentence of facts below the id.
    pub(super) fn facts(&self) -> String {
        let many = |n: usize, one: &str, more: &str| match n {
            1 => format!("1 {one}"),
            n => format!("{n} {more}"),
        };
        let people = many(self.people.len() + self.more_people, "person", "people");
        let hidden = match self.more_people {
            0 => String::new(),
            _ => format!(" (the first {MOST_PEOPLE} are drawn)"),
        };
        format!(
            "{}, {people}{hidden}, {:.1} % of joints missing, {} is up",
            many(self.frames, "frame", "frames"),
            100.0 * self.missing,
            self.up
        )
    }
}

impl Person {
    /// Person `index` of the clip; `None` where no joint is present.
    fn seen(clip: &ClipView<'_>, index: usize, camera: &Camera) -> Option<Person> {
        let row = clip.frames * clip.joints;
        let joints = index * row..(index + 1) * row;
        // A rotation of the largest numbers may leave the range.
        let within = |x: f32| x.clamp(f32::MIN / 4.0, f32::MAX / 4.0);
        let place = |joint: usize| {
            let there = clip.is_present(joint, 0.0);
            there.then(|| camera.see(clip.place(joint)).map(within))
        };
        let places: Vec<Option<[f32; 3]>> = joints.clone().map(place).collect();
        let scores = clip
            .scores
            .map(|scores| joints.map(|joint| scores.get(joint)).collect());
        places.iter().any(Option::is_some).then_some(Person {
            number: index + 1,
            places,
            scores,
        })
    }
}

/// The middle of most joints, and half the length of the box around them.
fn frame_of(people: &[Person]) -> ([f32; 3], f32) {
    let (mut middle, mut size) = ([0.0; 3], 0.0f32);
    for c in 0..3 {
        let places = people
            .iter()
            .flat_map(|person| person.places.iter().flatten());
        let mut along: Vec<f32> = places.map(|place| place[c]).collect();
        let (low, high) = middle_part(&mut along, 0.01);
        middle[c] = low / 2.0 + high / 2.0;
        size = size.max(high / 2.0 - low / 2.0);
    }
    let usable = size.is_finite() && size > f32::MIN_POSITIVE;
    (middle, if usable { size } else { 1.0 })
}

/// Where the values begin and end when a share of them is cut off at either end: outliers don't count.
pub(super) fn middle_part(values: &mut [f32], share: f64) -> (f32, f32) {
    if values.is_empty() {
        return (0.0, 0.0);
    }
    let last = values.len() - 1;
    let cut = (share * last as f64) as usize;
    let low = *values.select_nth_unstable_by(cut, f32::total_cmp).1;
    let high = *values.select_nth_unstable_by(last - cut, f32::total_cmp).1;
    (low, high)
}

/// Frame by frame.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    /// Missing joints of the people who are there in the frame; where nobody is, all joints of everybody.
    pub missing: Vec<u32>,
    /// How far the fastest joint went since the frame before, in sizes of its person; 0 where none was seen twice.
    pub steps: Vec<f32>,
    /// That joint.
    pub fastest: Vec<usize>,
}

/// The trace of some people over `frames` frames of `v` joints.
fn trace(people: &[Person], frames: usize, v: usize) -> Trace {
    let mut trace = Trace {
        missing: vec![0; frames],
        steps: vec![0.0; frames],
        fastest: vec![0; frames],
    };
    for person in people {
        let rows: Vec<&[Option<[f32; 3]>]> = person.places.chunks_exact(v).collect();
        let size = size(&rows);
        for (frame, row) in rows.iter().enumerate() {
            let missing = row.iter().filter(|place| place.is_none()).count();
            if missing < v {
                trace.missing[frame] += missing as u32;
            }
            let Some(before) = frame.checked_sub(1).map(|before| rows[before]) else {
                continue;
            };
            for (joint, places) in before.iter().zip(*row).enumerate() {
                let (Some(from), Some(to)) = places else {
                    continue;
                };
                let step = distance(from, to) / size;
                if step > trace.steps[frame] {
                    (trace.steps[frame], trace.fastest[frame]) = (step, joint);
                }
            }
        }
    }
    for frame in 0..frames {
        let seen = |person: &Person| {
            person.places[frame * v..(frame + 1) * v]
                .iter()
                .any(Option::is_some)
        };
        if !people.iter().any(seen) {
            trace.missing[frame] = (people.len() * v) as u32;
        }
    }
    trace
}

/// Mean diagonal of the box around the person.
fn size(rows: &[&[Option<[f32; 3]>]]) -> f32 {
    let (mut sum, mut n) = (0.0f64, 0.0f64);
    for row in rows {
        let mut extent = Extent::default();
        row.iter()
            .flatten()
            .for_each(|place| extent.take_if(true, place));
        if row.iter().any(Option::is_some) {
            sum += f64::from(extent.diagonal());
            n += 1.0;
        }
    }
    let mean = (sum / n.max(1.0)) as f32;
    if mean > 0.0 { mean } else { 1.0 }
}

fn distance(a: &[f32; 3], b: &[f32; 3]) -> f32 {
    (0..3)
        .map(|c| (a[c] - b[c]) * (a[c] - b[c]))
        .sum::<f32>()
        .sqrt()
}
