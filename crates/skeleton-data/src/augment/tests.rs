use super::*;
use skeleton_graph::random::{Key, Purpose, stream};

fn draw(flip: bool, turn: f64, scale: [f64; 3]) -> Draw {
    Draw {
        share: 1.0,
        place: 0.0,
        flip,
        turn,
        tilt: 0.0,
        scale,
    }
}

/// Applies a draw about `centre` to joints that are all present.
fn moved<const C: usize>(draw: &Draw, keypoints: &[f32], centre: [f64; C], up: usize) -> Vec<f32> {
    let mut moved = keypoints.to_vec();
    if let Some(matrix) = draw.matrix::<C>(up) {
        let map = Affine::identity().then_about(&matrix, centre);
        map.apply(&mut moved, &[], true);
    }
    moved
}

fn points(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = stream(seed, Purpose::Sample, 0, Key::None);
    (0..count)
        .map(|_| rng.random::<f32>() * 4.0 - 2.0)
        .collect()
}

fn distance<const C: usize>(values: &[f32], a: usize, b: usize) -> f32 {
    (0..C)
        .map(|c| (values[a * C + c] - values[b * C + c]).powi(2))
        .sum::<f32>()
        .sqrt()
}

fn turn_preserves_distances<const C: usize>(up: usize) {
    let before = points(20 * C, 1);
    for turn in [-2.0, -0.3, 0.7] {
        let after = moved(&draw(false, turn, [1.0; 3]), &before, [0.5; C], up);
        assert!((before[0] - after[0]).abs() > 1e-3);
        for joint in 1..20 {
            assert!(
                (distance::<C>(&before, 0, joint) - distance::<C>(&after, 0, joint)).abs() < 1e-5
            );
        }
    }
}

#[test]
fn a_turn_preserves_distances() {
    turn_preserves_distances::<2>(1);
    turn_preserves_distances::<3>(1);
    turn_preserves_distances::<3>(2);
}

/// The values of torch_ssl.augment's matrices:
///
/// ```python
/// import torch; th = torch.tensor(0.3); x = torch.tensor([1., 2., 3.])
/// print(x[:2] @ torch.tensor([[th.cos(), -th.sin()], [th.sin(), th.cos()]]))
/// print(x @ torch.tensor([[th.cos(), 0, th.sin()], [0, 1, 0], [-th.sin(), 0, th.cos()]]))
/// ```
#[test]
fn turns_are_torch_ssls() {
    let close = |a: &[f32], b: &[f32]| {
        assert!(
            a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5),
            "{a:?} {b:?}"
        )
    };
    let turn = draw(false, 0.3, [1.0; 3]);
    let plane = moved(&turn, &[1.0, 2.0], [0.0; 2], 1);
    close(&plane, &[1.546376, 1.615153]);
    let space = moved(&turn, &[1.0, 2.0, 3.0], [0.0; 3], 1);
    close(&space, &[0.068776, 2.0, 3.16153]);
    let upright = moved(&turn, &[1.0, 2.0, 3.0], [0.0; 3], 2);
    close(&upright, &[1.546376, 1.615153, 3.0]);
}

#[test]
fn a_tilt_lowers_what_is_far_and_leaves_the_plane_alone() {
    let tilt = Draw {
        tilt: std::f64::consts::FRAC_PI_2,
        ..draw(false, 0.0, [1.0; 3])
    };
    for up in [1, 2] {
        let space = moved(&tilt, &[1.0, 2.0, 3.0], [0.0; 3], up);
        let close = [1.0, -3.0, 2.0]
            .iter()
            .zip(&space)
            .all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(close, "{space:?}");
    }
    assert_eq!(moved(&tilt, &[1.0, 2.0], [0.0; 2], 1), [1.0, 2.0]);
    // After the turn, which about y by a quarter exchanges x and z.
    let both = Draw {
        tilt: 0.4,
        ..draw(false, std::f64::consts::FRAC_PI_2, [1.0; 3])
    };
    let space = moved(&both, &[1.0, 0.0, 0.0], [0.0; 3], 1);
    let tilted = moved(&Draw { turn: 0.0, ..both }, &[0.0, 0.0, 1.0], [0.0; 3], 1);
    let close = space.iter().zip(&tilted).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(close, "{space:?} {tilted:?}");
}

#[test]
fn a_flip_mirrors_x_and_swaps_sides_and_twice_is_identity() {
    let (mirror, mut row) = ([0, 2, 1], Vec::new());
    let before = [1.0, 2.0, 3.0, 4.0, 0.0, 0.0];
    let (mut keypoints, mut presence) = (before, [1.0, 1.0, 0.0]);
    let matrix = draw(true, 0.0, [1.0; 3]).matrix::<2>(1).unwrap();
    let mut flip = |keypoints: &mut [f32], presence: &mut [f32], centre: [f64; 2]| {
        swap_joints::<2>(keypoints, &mirror, &mut row);
        swap_joints::<1>(presence, &mirror, &mut row);
        let map = Affine::identity().then_about(&matrix, centre);
        map.apply(keypoints, presence, false);
    };
    flip(&mut keypoints, &mut presence, [0.0, 9.0]);
    assert_eq!(
        (keypoints, presence),
        ([-1.0, 2.0, 0.0, 0.0, -3.0, 4.0], [1.0, 0.0, 1.0])
    );
    flip(&mut keypoints, &mut presence, [0.0, 9.0]);
    assert_eq!((keypoints, presence), (before, [1.0, 1.0, 0.0]));
    // About another centre the mirror stands there.
    let mut keypoints = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    flip(&mut keypoints, &mut [1.0; 3], [3.0, 0.0]);
    assert_eq!(keypoints, [5.0, 2.0, 1.0, 6.0, 3.0, 4.0]);
}

#[test]
fn scales_are_per_axis_about_the_centre() {
    let scale = draw(false, 0.0, [2.0, 0.5, 1.0]);
    let scaled = moved(&scale, &[3.0, 4.0, 5.0], [1.0, 2.0, 9.0], 1);
    assert_eq!(scaled, [5.0, 3.0, 5.0]);
}

#[test]
fn draws_are_symmetric_within_their_ranges_and_independent_of_each_other() {
    let augment = Augment {
        noise: 0.0,
        scale: 0.4,
        turn: 0.6,
        tilt: 0.5,
        flip: 0.25,
        crop: 0.6,
    };
    let draws: Vec<Draw> = (0..4000)
        .map(|clip| augment.draw(&mut stream(3, Purpose::Augment, 0, Key::Index(clip))))
        .collect();
    let mean = |f: &dyn Fn(&Draw) -> f64| draws.iter().map(f).sum::<f64>() / 4000.0;
    assert!(
        draws
            .iter()
            .all(|d| d.turn.abs() <= 0.3 && (0.6..=1.0).contains(&d.share))
    );
    assert!(
        draws
            .iter()
            .all(|d| d.scale.iter().all(|s| (0.8..=1.2).contains(s)))
    );
    assert!(mean(&|d| d.turn).abs() < 0.01);
    assert!(mean(&|d| d.tilt).abs() < 0.01 && draws.iter().all(|d| d.tilt.abs() <= 0.25));
    let tilts = draws.iter().map(|d| d.tilt.powi(2)).sum::<f64>() / 4000.0;
    assert!((tilts * 12.0 / 0.25 - 1.0).abs() < 0.1, "{tilts}");
    assert!((mean(&|d| f64::from(u8::from(d.flip))) - 0.25).abs() < 0.03);
    assert!((mean(&|d| d.share) - 0.8).abs() < 0.01);
    let turn_only = Augment {
        turn: 0.6,
        ..Augment::default()
    };
    let again = turn_only.draw(&mut stream(3, Purpose::Augment, 0, Key::Index(7)));
    assert_eq!(again.turn, draws[7].turn);
    assert_eq!(
        (again.share, again.flip, again.scale),
        (1.0, false, [1.0; 3])
    );
}

#[test]
fn noise_is_standard_normal_and_spares_absent_joints() {
    // torch.special.ndtri(torch.tensor([0.001, 0.0242, 0.3, 0.975], dtype=torch.float64))
    for (p, x) in [
        (0.001, -3.090_232_3),
        (0.0242, -1.973_839_5),
        (0.3, -0.524_400_5),
        (0.975, 1.959_964),
    ] {
        assert!((normal_quantile(p) - x).abs() < 1e-5, "{p}");
    }
    let (mut keypoints, mut presence) = (vec![0.0f32; 60_000], vec![1.0; 20_000]);
    presence[5] = 0.0;
    let mut rng = stream(0, Purpose::Augment, 0, Key::None);
    add_noise::<3>(&mut keypoints, &presence, 0.5, &mut rng, &mut Vec::new());
    assert_eq!(keypoints[15..18], [0.0; 3]);
    let moment = |n: i32| keypoints.iter().map(|x| f64::from(*x).powi(n)).sum::<f64>() / 60_000.0;
    assert!(
        moment(1).abs() < 0.01 && (moment(2) - 0.25).abs() < 0.005,
        "{} {}",
        moment(1),
        moment(2)
    );
    assert!(
        (moment(4) / moment(2).powi(2) - 3.0).abs() < 0.1,
        "{}",
        moment(4)
    );
}

#[test]
fn ranges_are_checked_by_name() {
    assert!(Augment::default().check().is_ok());
    for (augment, name) in [
        (
            Augment {
                noise: -1.0,
                ..Augment::default()
            },
            "noise",
        ),
        (
            Augment {
                scale: 2.0,
                ..Augment::default()
            },
            "scale",
        ),
        (
            Augment {
                turn: f32::NAN,
                ..Augment::default()
            },
            "turn",
        ),
        (
            Augment {
                tilt: -0.1,
                ..Augment::default()
            },
            "tilt",
        ),
        (
            Augment {
                flip: 1.5,
                ..Augment::default()
            },
            "flip",
        ),
        (
            Augment {
                crop: 0.0,
                ..Augment::default()
            },
            "crop",
        ),
    ] {
        assert!(augment.check().unwrap_err().to_string().contains(name));
    }
}
