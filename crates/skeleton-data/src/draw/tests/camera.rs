//! Which way is up.

use super::*;

#[test]
fn up_is_up_and_left_stays_left() {
    let axis = |text: &str| text.parse::<Axis>();
    assert_eq!(
        (
            axis("y").unwrap().to_string(),
            axis("-z").unwrap().to_string()
        ),
        ("y".into(), "-z".into())
    );
    assert!(axis("up").is_err() && axis("").is_err() && axis("--y").is_err());
    assert!(
        Camera::new(axis("z").unwrap(), 2).is_err() && Camera::new(axis("-y").unwrap(), 2).is_ok()
    );
    for up in ["x", "-x", "y", "-y", "z", "-z"] {
        let camera = Camera::new(axis(up).unwrap(), 3).unwrap();
        let [a, b, c] =
            [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]].map(|unit| camera.see(unit));
        let turned = a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0])
            + a[2] * (b[0] * c[1] - b[1] * c[0]);
        // (right, up, away) is a left-handed frame: a view that mirrors nobody turns the sign.
        assert_eq!(turned, -1.0, "{up}");
    }
    // A Kinect's x grows to its own left, which is left on paper.
    assert_eq!(
        Camera::new(axis("y").unwrap(), 3)
            .unwrap()
            .see([1.0, 2.0, 3.0]),
        [-1.0, 2.0, 3.0]
    );
    // Where the source normalised, heads are above legs.
    let layout = Layout::built_in("jhmdb15").unwrap();
    let standing = |up: usize, sign: f32, c: usize| {
        let mut values = vec![0.25; 15 * c];
        for (joint, height) in [
            (0, 2.0),
            (2, 2.5),
            (9, -2.0),
            (10, -2.0),
            (13, -3.0),
            (14, -3.0),
        ] {
            values[joint * c + up] = sign * height;
        }
        Axis::usual(
            Units::Normalised,
            &clip(values, 1, 1, 15, c).view(),
            &layout,
        )
        .to_string()
    };
    assert_eq!(
        (standing(1, 1.0, 2), standing(1, -1.0, 2)),
        ("y".into(), "-y".into())
    );
    assert_eq!(
        (standing(2, 1.0, 3), standing(0, -1.0, 3)),
        ("z".into(), "-x".into())
    );
}
