use std::path::Path;

use super::*;

/// A file of these frames, each a list of bodies, with Windows line ends.
fn file(frames: &[&[u64]]) -> String {
    let mut lines = vec![frames.len().to_string()];
    for (t, bodies) in frames.iter().enumerate() {
        lines.push(bodies.len().to_string());
        for id in *bodies {
            lines.push(format!("{id} 0 1 1 1 1 0 -0.12 0.3 2"));
            lines.push("25".into());
            for v in 0..JOINTS {
                let rest = "277.4 191.8 1036.2 519.1 -0.23 0.03 0.97 -0.05 2";
                lines.push(format!("{t}.25 -{v}.5 3.785547 {rest}"));
            }
        }
    }
    lines.join("\r\n") + "\r\n"
}

fn parse(text: &[u8]) -> crate::Result<Recording> {
    Recording::parse(Path::new("a.skeleton"), text)
}

#[test]
fn a_file_gives_its_bodies_and_where_they_were_seen() {
    let big = 72_057_594_037_931_101;
    let read = parse(file(&[&[], &[big], &[7, big], &[], &[big]]).as_bytes()).unwrap();
    assert_eq!((read.frames, read.empty_frames), (5, 2));
    let ids: Vec<u64> = read.bodies.iter().map(|body| body.id).collect();
    assert_eq!(ids, [big, 7]);
    let seen = |frame, occupied| Sighting { frame, occupied };
    assert_eq!(read.bodies[0].seen, [seen(1, 0), seen(2, 1), seen(4, 2)]);
    assert_eq!(read.bodies[1].poses[0][3], [2.25, -3.5, 3.785547]);
}

#[test]
fn a_joint_that_is_no_number_is_missing() {
    let text = file(&[&[7]]).replace("0.25 -3.5", "nan -3.5");
    let read = parse(text.as_bytes()).unwrap();
    assert_eq!(read.missing_joints, 1);
    assert_eq!(read.bodies[0].poses[0][3], [0.0; 3]);
}

#[test]
fn errors_name_line_expected_and_found() {
    let text = file(&[&[7]]);
    for (damaged, said) in [
        (
            text.replace("\n25\r", "\n24\r"),
            "line 4: expected 25, the number of joints, found 24; bodies of other joints go into a .jsonl",
        ),
        (
            text.replace("\n25\r", "\n26\r")
                .replace("0.25 -24", "0.25 -25.5 1 2 3 4 5 6 7 8 9 2\r\n0.25 -24"),
            "line 4: expected 25, the number of joints, found 26; bodies of other joints go into a .jsonl",
        ),
        (
            text.replace("\n25\r", "\nmany\r"),
            "line 4: expected 25, the number of joints, found \"many\" (1 fields)",
        ),
        // A joint more than the file says, before the next body, the next frame and the end.
        (
            file(&[&[7, 8]]).replacen("0.25 -24", "0.25 0.1 1 2 3 4 5 6 7 8 9 2\r\n0.25 -24", 1),
            "line 30: expected a body: 10 fields that begin with its number of 64 bits, found \"0.25 -24.5",
        ),
        (
            file(&[&[7], &[7]]).replacen("0.25 -24", "0.25 0.1 1 2 3 4 5 6 7 8 9 2\r\n0.25 -24", 1),
            "(12 fields), a joint more than 25; bodies of other joints",
        ),
        (
            text.replacen("0.25 -24", "0.25 0.1 1 2 3 4 5 6 7 8 9 2\r\n0.25 -24", 1),
            "line 30: expected the end of the file after 1 frames, found \"0.25 -24.5",
        ),
        (text.replace("\n7 0", "\n-7 0"), "line 3: expected a body"),
        (
            text.replace("0.25 -0.5", "0.25"),
            "line 5: expected a joint",
        ),
        (
            text.replacen('1', "2", 1),
            "line 30: expected the number of bodies in a frame, found the end of the file",
        ),
        (
            text.clone() + "1\r\n",
            "line 30: expected the end of the file after 1 frames",
        ),
        (
            "18446744073709551615".into(),
            "line 2: expected the number of bodies",
        ),
        (String::new(), "line 1: expected the number of frames"),
    ] {
        let message = parse(damaged.as_bytes()).unwrap_err().to_string();
        assert!(
            message.starts_with("a.skeleton: ") && message.contains(said),
            "{message}"
        );
    }
}

#[test]
fn damage_is_an_error_or_valid_data() {
    let text = file(&[&[7], &[], &[7, 8]]).into_bytes();
    let mut state = 1u64;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    for _ in 0..10_000 {
        let mut text = text.clone();
        for _ in 0..=next(3) {
            let at = next(text.len());
            match next(4) {
                0 => text[at] = next(256) as u8,
                1 => text.truncate(at + 1),
                2 => drop(text.drain(at..(at + 1 + next(200)).min(text.len()))),
                _ => text.insert(at, b"0123456789-.e \n"[next(15)]),
            }
            text.push(b' ');
        }
        if let Ok(read) = parse(&text) {
            let joints = read
                .bodies
                .iter()
                .flat_map(|body| body.poses.iter().flatten());
            assert!(joints.flatten().all(|x| x.is_finite()));
            assert!(
                read.bodies
                    .iter()
                    .all(|body| body.seen.len() == body.poses.len())
            );
        }
    }
}
