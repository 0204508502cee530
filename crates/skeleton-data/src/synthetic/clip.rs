//! One clip of the set, from its name to its numbers.

use std::ops::Range;

use half::f16;
use skeleton_graph::Layout;

use super::SyntheticKind;
use super::action::Action;
use super::body::{POINTS, Point};
use super::camera::{Camera, IMAGE};
use super::dice::Dice;
use super::rotation::Vec3;
use super::scene::Scene;
use super::sensor::{Channel, hidden};
use super::subject::Subject;
use crate::{Sequence, Values};

/// Which clip of the set.
pub struct Clip {
    pub kind: SyntheticKind,
    pub seed: u64,
    /// Who it is of, and what.
    pub subject: usize,
    pub label: usize,
    pub repetition: u32,
}

impl Clip {
    fn id(&self) -> String {
        format!(
            "s{:03}_a{:02}_r{:03}",
            self.subject, self.label, self.repetition
        )
    }

    /// Performs, sees and measures the clip; `group` are the subjects of its split.
    pub fn sequence(&self, layout: &Layout, bodies: &[Subject], group: Range<usize>) -> Sequence {
        let (id, action) = (self.id(), Action::ALL[self.label]);
        let mut dice = Dice::new(self.seed, &id);
        let subjects = cast(&mut dice, self.subject, action, bodies, group);
        let scene = Scene::draw(&mut dice, action, &subjects);
        let camera = Camera::draw(&mut dice);
        let (keypoints, scores) = self.measure(&mut dice, layout, &scene, &camera, &subjects);
        Sequence {
            id,
            label: Some(self.label as u32),
            persons: subjects.len(),
            frames: scene.frames.len(),
            joints: layout.len(),
            coordinates: self.kind.coordinates(),
            keypoints: Values::F16(keypoints),
            scores: (self.kind == SyntheticKind::Coco17).then_some(Values::F16(scores)),
            image: (self.kind == SyntheticKind::Coco17).then_some(IMAGE),
            subject: Some(self.subject as u32),
            camera: None,
            setup: None,
        }
    }

    /// Coordinates (m, t, v, c) and scores (m, t, v).
    fn measure(
        &self,
        dice: &mut Dice,
        layout: &Layout,
        scene: &Scene,
        camera: &Camera,
        subjects: &[&Subject],
    ) -> (Vec<f16>, Vec<f16>) {
        let joints: Vec<Point> = layout
            .joints()
            .iter()
            .map(|joint| Point::named(joint).expect("the body has every joint of the two layouts"))
            .collect();
        let (sensor, coordinates) = (self.kind.sensor(), self.kind.coordinates());
        let seen: Vec<Vec<[Vec3; POINTS]>> = (0..scene.frames.len())
            .map(|frame| {
                let bodies = scene.points(frame, subjects);
                bodies
                    .into_iter()
                    .map(|body| body.map(|point| camera.see(point)))
                    .collect()
            })
            .collect();
        let (mut keypoints, mut scores) = (Vec::new(), Vec::new());
        for person in 0..subjects.len() {
            let mut channels: Vec<Channel> = joints.iter().map(|_| sensor.channel(dice)).collect();
            for bodies in &seen {
                for (&joint, channel) in joints.iter().zip(&mut channels) {
                    let point = bodies[person][joint as usize];
                    let place = match self.kind {
                        SyntheticKind::Coco17 => {
                            let [x, y] = camera.project(point);
                            [x, y, 0.0]
                        }
                        SyntheticKind::Ntu25 => [-point[0], point[1], -point[2]],
                    };
                    let hidden = hidden(camera, bodies, point);
                    let measured = sensor.measure(dice, channel, place, coordinates, hidden);
                    keypoints.extend(
                        measured.place[..coordinates]
                            .iter()
                            .map(|&x| f16::from_f64(x)),
                    );
                    scores.push(f16::from_f64(measured.score));
                }
            }
        }
        (keypoints, scores)
    }
}

/// The clip's subject and, for two, a partner of the same split, in either order.
pub fn cast<'a>(
    dice: &mut Dice,
    subject: usize,
    action: Action,
    bodies: &'a [Subject],
    group: Range<usize>,
) -> Vec<&'a Subject> {
    if action.persons() == 1 {
        return vec![&bodies[subject]];
    }
    let mut partner = group.start + dice.below(group.len() - 1);
    if partner >= subject {
        partner += 1;
    }
    let mut pair = vec![&bodies[subject], &bodies[partner]];
    if dice.chance(0.5) {
        pair.swap(0, 1);
    }
    pair
}
