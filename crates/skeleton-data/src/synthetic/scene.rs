//! One clip before it is measured: bodies moving through the scene.

use super::action::{Action, Script};
use super::body::{POINTS, Pose, points};
use super::dice::Dice;
use super::pair::Pair;
use super::rotation::Vec3;
use super::subject::{Posture, Subject};

/// Frames a second.
const RATE: f64 = 30.0;
/// Fewest and most frames of a clip.
pub const FRAMES: (usize, usize) = (24, 120);

/// The poses of one clip.
pub struct Scene {
    /// (t), each the poses of all persons.
    pub frames: Vec<Vec<Pose>>,
}

impl Scene {
    /// Draws the clip in which `subjects` (as many as the action takes) do `action`.
    pub fn draw(dice: &mut Dice, action: Action, subjects: &[&Subject]) -> Scene {
        let postures: Vec<Posture> = subjects
            .iter()
            .map(|s| Posture::draw(dice, s, action))
            .collect();
        let script = Script::draw(dice, action, subjects[0]);
        let pair = Pair::draw(dice, action);
        let facing = dice.degrees(-10.0, 10.0);
        let (before, after) = (dice.between(0.05, 0.8), dice.between(0.05, 0.8));
        let total = before + script.duration + after;
        let count = ((total * RATE).round() as usize).clamp(FRAMES.0, FRAMES.1);
        let frames = (0..count).map(|frame| {
            let time = total * frame as f64 / (count - 1) as f64;
            let u = ((time - before) / script.duration).clamp(0.0, 1.0);
            let mut poses: Vec<Pose> = postures.iter().map(|posture| posture.at(time)).collect();
            if let [first, second] = poses.as_mut_slice() {
                let mut both = [first.clone(), second.clone()];
                pair.perform(u, &mut both);
                [*first, *second] = both;
            } else {
                poses.iter_mut().for_each(|pose| script.perform(u, pose));
            }
            poses.iter_mut().for_each(|pose| pose.facing += facing);
            poses
        });
        Scene {
            frames: frames.collect(),
        }
    }

    /// The points of all persons in frame `frame`.
    pub fn points(&self, frame: usize, subjects: &[&Subject]) -> Vec<[Vec3; POINTS]> {
        self.frames[frame]
            .iter()
            .zip(subjects)
            .map(|(pose, subject)| points(&subject.limbs, pose))
            .collect()
    }
}
