//! What the bodies do, before any sensor: limbs keep their lengths, joints their limits, and clips their labels.

use super::*;
use crate::synthetic::body::Pose;

const CLIPS: u64 = 40;

/// `CLIPS` scenes of an action with their subjects.
fn scenes(action: Action) -> impl Iterator<Item = (Scene, Vec<Subject>)> {
    (0..CLIPS).map(move |clip| {
        let mut dice = Dice::new(clip, "scene");
        let subjects: Vec<Subject> = (0..action.facts().persons)
            .map(|person| Subject::draw(clip, &format!("subject{person}")))
            .collect();
        let cast: Vec<&Subject> = subjects.iter().collect();
        (Scene::draw(&mut dice, action, &cast), subjects)
    })
}

/// (t), the points of person 0.
fn course(scene: &Scene, subjects: &[Subject]) -> Vec<[Vec3; POINTS]> {
    let cast: Vec<&Subject> = subjects.iter().collect();
    (0..scene.frames.len())
        .map(|frame| scene.points(frame, &cast)[0])
        .collect()
}

fn distance(body: &[Vec3; POINTS], a: Point, b: Point) -> f64 {
    let (a, b) = (body[a as usize], body[b as usize]);
    (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>().sqrt()
}

fn turning_points(values: &[f64]) -> (f64, f64) {
    let fold = |f: fn(f64, f64) -> f64, start| values.iter().copied().fold(start, f);
    (
        fold(f64::min, f64::INFINITY),
        fold(f64::max, f64::NEG_INFINITY),
    )
}

/// How often a course goes from below to above `high`, having been below `low` in between.
fn peaks(values: &[f64], low: f64, high: f64) -> usize {
    let (mut count, mut armed) = (0, true);
    for &value in values {
        if armed && value > high {
            (count, armed) = (count + 1, false);
        } else if value < low {
            armed = true;
        }
    }
    count
}

#[test]
fn limbs_keep_their_lengths() {
    use Point::*;
    let bones = [
        (Pelvis, Spine),
        (Spine, Chest),
        (Chest, Neck),
        (Neck, Head),
        (Chest, LeftShoulder),
        (Chest, RightShoulder),
        (LeftShoulder, LeftElbow),
        (LeftElbow, LeftWrist),
        (LeftWrist, LeftHand),
        (LeftHand, LeftTip),
        (LeftHand, LeftThumb),
        (RightShoulder, RightElbow),
        (RightElbow, RightWrist),
        (RightWrist, RightHand),
        (Pelvis, LeftHip),
        (LeftHip, LeftKnee),
        (LeftKnee, LeftAnkle),
        (LeftAnkle, LeftFoot),
        (Pelvis, RightHip),
        (RightHip, RightKnee),
        (RightKnee, RightAnkle),
        (RightAnkle, RightFoot),
        (Nose, LeftEye),
        (Head, RightEar),
    ];
    for action in ACTIONS.map(|facts| facts.action) {
        for (scene, subjects) in scenes(action) {
            let bodies = course(&scene, &subjects);
            for (a, b) in bones {
                let length = distance(&bodies[0], a, b);
                assert!(length > 0.01, "{a:?} {b:?}");
                for body in &bodies {
                    assert!(
                        (distance(body, a, b) - length).abs() < 1e-9,
                        "{action:?} {a:?} {b:?}"
                    );
                }
            }
            let arm = distance(&bodies[0], LeftShoulder, LeftElbow);
            assert!((arm - subjects[0].limbs.upper_arm).abs() < 1e-9);
        }
    }
}

/// Smallest and largest angle of each kind in degrees, as [`angles`] names them.
const LIMITS: [(&str, f64, f64); 12] = [
    ("bend", -30.0, 90.0),
    ("lean", -35.0, 35.0),
    ("turn", -45.0, 45.0),
    ("nod", -45.0, 45.0),
    ("look", -70.0, 70.0),
    ("azimuth", -45.0, 140.0),
    ("elevation", -50.0, 180.0),
    ("twist", -90.0, 100.0),
    ("elbow", 0.0, 150.0),
    ("flexion", -30.0, 125.0),
    ("abduction", -25.0, 45.0),
    ("knee", 0.0, 140.0),
];

/// Every joint angle with the name of its limits.
fn angles(pose: &Pose) -> Vec<(&'static str, f64)> {
    let mut angles = vec![
        ("bend", pose.bend),
        ("lean", pose.lean),
        ("turn", pose.turn),
        ("nod", pose.nod),
        ("look", pose.look),
    ];
    for arm in pose.arms {
        angles.push(("azimuth", arm.azimuth));
        angles.push(("elevation", arm.elevation));
        angles.push(("twist", arm.twist));
        angles.push(("elbow", arm.elbow));
    }
    for leg in pose.legs {
        angles.push(("flexion", leg.flexion));
        angles.push(("abduction", leg.abduction));
        angles.push(("knee", leg.knee));
    }
    angles
}

#[test]
fn joints_keep_their_limits() {
    for action in ACTIONS.map(|facts| facts.action) {
        for pose in scenes(action).flat_map(|(scene, _)| scene.frames).flatten() {
            for (name, angle) in angles(&pose) {
                let (_, low, high) = LIMITS.iter().find(|limit| limit.0 == name).unwrap();
                let degrees = angle.to_degrees();
                assert!(
                    (*low..=*high).contains(&degrees),
                    "{action:?}: {name} {degrees:.0}"
                );
            }
        }
    }
}

#[test]
fn feet_stand_on_the_ground_but_in_a_jump() {
    for action in ACTIONS.map(|facts| facts.action) {
        for (scene, subjects) in scenes(action) {
            for (poses, body) in scene.frames.iter().zip(course(&scene, &subjects)) {
                let lowest = body
                    .iter()
                    .map(|point| point[1])
                    .fold(f64::INFINITY, f64::min);
                // The lowest point is a toe or, a sole's height up, an ankle.
                let above = lowest - poses[0].jump;
                assert!((-1e-9..0.071).contains(&above), "{action:?}: {above}");
                assert!(
                    poses[0].jump == 0.0 || matches!(action, Action::HopOnce | Action::HopThrice)
                );
            }
        }
    }
}

/// How much an angle of both arms or legs changes over a clip: (left, right).
fn extents(scene: &Scene, angle: impl Fn(&Pose, usize) -> f64) -> (f64, f64) {
    let extent = |side: usize| {
        let (low, high) = turning_points(
            &scene
                .frames
                .iter()
                .map(|poses| angle(&poses[0], side))
                .collect::<Vec<_>>(),
        );
        high - low
    };
    (extent(0), extent(1))
}

#[test]
fn the_named_limb_acts() {
    for (action, left_acts) in [(Action::WaveLeft, true), (Action::WaveRight, false)] {
        for (scene, _) in scenes(action) {
            let (left, right) = extents(&scene, |pose, side| pose.arms[side].elbow);
            assert_eq!(left > 2.0 * right, left_acts, "{left} {right}");
            assert_eq!(right > 2.0 * left, !left_acts, "{left} {right}");
        }
    }
    for (action, left_acts) in [(Action::KickLeft, true), (Action::KickRight, false)] {
        for (scene, _) in scenes(action) {
            let (left, right) = extents(&scene, |pose, side| pose.legs[side].flexion);
            assert_eq!(
                (left > 0.5, right > 0.5),
                (left_acts, !left_acts),
                "{left} {right}"
            );
        }
    }
}

#[test]
fn counts_are_what_the_names_say() {
    for (action, count) in [(Action::HopOnce, 1), (Action::HopThrice, 3)] {
        for (scene, _) in scenes(action) {
            let heights: Vec<f64> = scene.frames.iter().map(|poses| poses[0].jump).collect();
            assert_eq!(peaks(&heights, 0.01, 0.05), count, "{action:?}");
        }
    }
    for (action, count) in [(Action::ClapTwice, 2), (Action::ClapFour, 4)] {
        for (scene, subjects) in scenes(action) {
            let apart: Vec<f64> = course(&scene, &subjects)
                .iter()
                .map(|body| -distance(body, Point::LeftHand, Point::RightHand))
                .collect();
            let (widest, closest) = turning_points(&apart);
            let part = |share: f64| closest + share * (widest - closest);
            assert_eq!(peaks(&apart, part(0.5), part(0.25)), count, "{action:?}");
        }
    }
}

#[test]
fn directions_are_what_the_names_say() {
    for (action, sign) in [(Action::StepLeft, 1.0), (Action::StepRight, -1.0)] {
        for (scene, subjects) in scenes(action) {
            let bodies = course(&scene, &subjects);
            let x = |frame: usize| bodies[frame][Point::Pelvis as usize][0];
            assert!((x(bodies.len() - 1) - x(0)) * sign > 0.12, "{action:?}");
        }
    }
    for (action, sign) in [(Action::SitDown, 1.0), (Action::StandUp, -1.0)] {
        for (scene, subjects) in scenes(action) {
            let bodies = course(&scene, &subjects);
            let height = |frame: usize| bodies[frame][Point::Pelvis as usize][1];
            assert!(
                (height(0) - height(bodies.len() - 1)) * sign > 0.15,
                "{action:?}"
            );
        }
    }
    // The area that the left hand goes round, seen from the front: outwards at the top is clockwise.
    for (action, sign) in [(Action::CircleOutwards, -1.0), (Action::CircleInwards, 1.0)] {
        for (scene, subjects) in scenes(action) {
            let path: Vec<Vec3> = course(&scene, &subjects)
                .iter()
                .map(|b| b[Point::LeftWrist as usize])
                .collect();
            let area: f64 = path
                .windows(2)
                .map(|w| w[0][0] * w[1][1] - w[1][0] * w[0][1])
                .sum();
            let (first, last) = (path[0], path[path.len() - 1]);
            let area = area + last[0] * first[1] - first[0] * last[1];
            assert!(area * sign > 0.02, "{action:?} {area}");
        }
    }
}

#[test]
fn two_people_face_each_other_and_meet() {
    for action in [Action::ShakeHands, Action::Push] {
        for (scene, subjects) in scenes(action) {
            let cast: Vec<&Subject> = subjects.iter().collect();
            let apart: Vec<f64> = (0..scene.frames.len())
                .map(|frame| {
                    let bodies = scene.points(frame, &cast);
                    let x = |body: usize, point: Point| bodies[body][point as usize][0];
                    assert!(
                        x(0, Point::Nose) > x(0, Point::Head)
                            && x(1, Point::Nose) < x(1, Point::Head)
                    );
                    x(1, Point::Pelvis) - x(0, Point::Pelvis)
                })
                .collect();
            let (closest, widest) = turning_points(&apart);
            assert!(
                (0.5..1.0).contains(&closest) && widest < 2.6,
                "{action:?} {closest} {widest}"
            );
            assert!(widest - closest > 0.1, "{action:?}");
        }
    }
}
