//! What pose estimators write: videos are made here, written in each program's form, and must come back.

mod common;

use std::path::Path;

use common::{all, all_of};
use serde_json::{Value, json};
use skeleton_data::raw::{Input, MOST_PEOPLE, Meaning, RawFile, RawFiles, RawFormat};
use skeleton_data::{Sequence, Values};
use skeleton_graph::random::{Key, Purpose, Rng, stream};

use rand::Rng as _;

/// One person over time: the frames they are in, and (frames, joints, 3) with scores last.
struct Person {
    number: i64,
    first: usize,
    poses: Vec<Vec<[f32; 3]>>,
}

/// A video in which people walk far apart from each other, come late and leave early; no frame is empty.
fn video(rng: &mut Rng, people: usize, frames: usize, joints: usize) -> Vec<Person> {
    let person = |at: usize| {
        let (first, last) = match at {
            0 => (0, frames),
            _ => {
                let first = rng.random_range(0..frames);
                (first, rng.random_range(first + 1..=frames))
            }
        };
        let pose = |frame: usize| {
            let joint = |joint: usize| {
                let (x, y) = (5000 * at + 3 * frame, 10 * joint);
                // Every seventh joint isn't found.
                let found = !(frame + joint + at).is_multiple_of(7);
                let score = if found { 0.5 } else { 0.0 };
                [x as f32 + 0.25, y as f32 + 0.5, score]
            };
            (0..joints).map(joint).collect()
        };
        Person {
            number: 10 + at as i64,
            first,
            poses: (first..last).map(pose).collect(),
        }
    };
    (0..people).map(person).collect()
}

/// The clip that a video is: the people in the order in which they come.
fn expected(id: &str, people: &[Person], frames: usize, joints: usize) -> Sequence {
    let mut order: Vec<&Person> = people.iter().collect();
    order.sort_by_key(|person| person.first);
    let (mut keypoints, mut scores) = (Vec::new(), Vec::new());
    for person in &order {
        for frame in 0..frames {
            let pose = frame
                .checked_sub(person.first)
                .and_then(|at| person.poses.get(at));
            for joint in 0..joints {
                let [x, y, score] = pose.map_or([0.0; 3], |pose| pose[joint]);
                let there = if score > 0.0 { [x, y] } else { [0.0; 2] };
                keypoints.extend(there);
                scores.push(score);
            }
        }
    }
    Sequence {
        scores: Some(Values::F32(scores)),
        ..Sequence::new(
            id,
            [people.len(), frames, joints, 2],
            Values::F32(keypoints),
        )
    }
}

/// The people of a frame, in an order of their own.
fn of_frame<'a>(
    people: &'a [Person],
    frame: usize,
    rng: &mut Rng,
) -> Vec<(&'a Person, &'a [[f32; 3]])> {
    let pose = |person: &'a Person| {
        let at = frame.checked_sub(person.first)?;
        Some((person, &person.poses.get(at)?[..]))
    };
    let mut found: Vec<_> = people.iter().filter_map(pose).collect();
    for at in (1..found.len()).rev() {
        found.swap(at, rng.random_range(0..=at));
    }
    found
}

fn flat(pose: &[[f32; 3]]) -> Vec<f32> {
    pose.concat()
}

fn alphapose(people: &[Person], frames: usize, rng: &mut Rng, named: bool) -> Value {
    let mut list = Vec::new();
    for frame in 0..frames {
        for (person, pose) in of_frame(people, frame, rng) {
            let mut item = json!({"image_id": format!("{frame}.jpg"), "category_id": 1, "keypoints": flat(pose), "score": 2.9, "box": [1.0, 2.0, 3.0, 4.0]});
            if named {
                item["idx"] = json!(person.number);
            }
            list.push(item);
        }
    }
    json!(list)
}

fn mmpose(people: &[Person], frames: usize, rng: &mut Rng, named: bool) -> Value {
    let frame = |frame: usize| {
        let instance = |(person, pose): (&Person, &[[f32; 3]])| {
            let places: Vec<[f32; 2]> = pose.iter().map(|&[x, y, _]| [x, y]).collect();
            let scores: Vec<f32> = pose.iter().map(|joint| joint[2]).collect();
            let mut instance = json!({"keypoints": places, "keypoint_scores": scores, "bbox": [[0.0, 0.0, 1.0, 1.0]], "bbox_score": 0.9});
            if named {
                instance["track_id"] = json!(person.number);
            }
            instance
        };
        let instances: Vec<Value> = of_frame(people, frame, rng)
            .into_iter()
            .map(instance)
            .collect();
        json!({"frame_id": frame, "instances": instances})
    };
    let frames: Vec<Value> = (0..frames).map(frame).collect();
    json!(frames)
}

fn read(name: &str, value: &Value) -> Vec<Sequence> {
    let file = RawFile::from_bytes(Path::new(name), value.to_string().into_bytes()).unwrap();
    assert_eq!(file.format(), RawFormat::Estimates);
    all(&file)
}

#[test]
fn videos_come_back_from_every_form() {
    for case in 0..40 {
        let mut rng = stream(7, Purpose::Synthetic, 0, Key::Index(case));
        let (people, frames) = (rng.random_range(1..=3), rng.random_range(1..=12));
        let joints = [17, 25, 26, 133][case as usize % 4];
        let video = video(&mut rng, people, frames, joints);
        // Who comes at the same time comes in the order of the frame's list, which is shuffled.
        let mut firsts: Vec<usize> = video.iter().map(|person| person.first).collect();
        firsts.sort_unstable();
        firsts.dedup();
        if firsts.len() < people {
            continue;
        }
        let wanted = expected("walk", &video, frames, joints);
        for named in [true, false] {
            let value = alphapose(&video, frames, &mut rng, named);
            assert!(read("walk.json", &value) == [wanted.clone()], "{case}");
            let value = mmpose(&video, frames, &mut rng, named);
            assert!(read("walk.json", &value) == [wanted.clone()], "{case}");
            let value = json!({"meta_info": {"dataset_name": "coco"}, "instance_info": value});
            assert!(read("walk.json", &value) == [wanted.clone()], "{case}");
        }
        let folder = tempfile::tempdir().unwrap();
        for frame in 0..frames {
            let people: Vec<Value> = of_frame(&video, frame, &mut rng)
                .into_iter()
                .map(|(person, pose)| json!({"person_id": [person.number], "pose_keypoints_2d": flat(pose), "face_keypoints_2d": []}))
                .collect();
            let path = folder
                .path()
                .join(format!("walk_{frame:012}_keypoints.json"));
            std::fs::write(path, json!({"version": 1.3, "people": people}).to_string()).unwrap();
        }
        let inputs = [Input {
            path: folder.path().to_owned(),
            split: None,
        }];
        let files = RawFiles::open(&inputs, Meaning::default(), false).unwrap();
        assert!(all_of(&files) == [wanted.clone()], "{case}");
    }
}

#[test]
fn people_who_cross_keep_their_numbers_or_the_nearest() {
    // Two people of one joint walk towards each other, a step of 10 a frame.
    let at = |x: f32| json!([x, 5.0, 1.0]);
    let mut list = Vec::new();
    for frame in 0..4 {
        let (left, right) = (10.0 * frame as f32, 100.0 - 10.0 * frame as f32);
        for x in [right, left] {
            list.push(json!({"image_id": frame, "keypoints": at(x)}));
        }
    }
    let clips = read("a.json", &json!(list));
    let Values::F32(values) = &clips[0].keypoints else {
        panic!("single precision");
    };
    let xs: Vec<f32> = values.chunks(2).map(|place| place[0]).collect();
    assert_eq!(xs, [100.0, 90.0, 80.0, 70.0, 0.0, 10.0, 20.0, 30.0]);
}

#[test]
fn crowds_are_cut_to_those_seen_most() {
    let mut list = Vec::new();
    for frame in 0..20 {
        for person in 0..=frame {
            list.push(json!({"image_id": frame, "idx": person, "keypoints": [1.0 + person as f32, 1.0, 1.0]}));
        }
    }
    let clips = read("crowd.json", &json!(list));
    assert_eq!((clips[0].persons, clips[0].frames), (MOST_PEOPLE, 20));
    let Values::F32(values) = &clips[0].keypoints else {
        panic!("single precision");
    };
    let last: Vec<f32> = values.chunks(40).map(|person| person[38]).collect();
    assert_eq!(last, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
}

#[test]
fn what_estimators_do_not_write_is_refused_with_its_place() {
    let refusal = |name: &str, text: &str| {
        let file = RawFile::from_bytes(Path::new(name), text.as_bytes().to_vec());
        file.err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    for (text, words) in [
        (
            r#"[{"image_id": 1, "keypoints": [1, 2, 3, 4]}]"#,
            "person 0: `keypoints`",
        ),
        (
            r#"[{"keypoints": [1, 2, 3]}]"#,
            "person 0: expected `image_id`",
        ),
        (
            r#"[{"image_id": 1, "keypoints": [1, 2, 3]}, {"image_id": 2, "keypoints": [1, 2, 3, 4, 5, 6]}]"#,
            "1 joints of 2 coordinates",
        ),
        (
            r#"[{"frame_id": 1, "instances": [{"keypoints": [[1, 2], [3]]}]}]"#,
            "frame 0, person 0: expected `keypoints` of 2 or 3 coordinates, all of as many, found 1 numbers",
        ),
        (
            r#"[{"frame_id": 1, "instances": [{"keypoints": [[1, 2, 3, 4]]}]}]"#,
            "found 4 numbers of a joint",
        ),
        (
            r#"[{"frame_id": 1, "instances": [{"keypoints": [[1, 2]], "keypoint_scores": [1, 1]}]}]"#,
            "expected 1 scores, one for each of `keypoints`, found 2",
        ),
        (
            r#"[{"frame_id": 7, "instances": [{"keypoints": [[1, 2]]}]}, {"frame_id": 102, "instances": [{"keypoints": []}]}]"#,
            "frame 102: expected 1 joints",
        ),
        (
            r#"[{"image_id": 1, "keypoints": [1, 2, NaN]}]"#,
            "expected JSON of AlphaPose",
        ),
        ("[1, 2", "expected JSON of AlphaPose"),
    ] {
        let message = refusal("a.json", text);
        assert!(
            message.contains(words) && message.contains("a.json"),
            "{text}: {message}"
        );
    }
    let message = refusal("walk_000000000001_keypoints.json", r#"{"people": []}"#);
    assert!(message.contains("the folder of all frames"), "{message}");
    assert_eq!(read("nobody.json", &json!([]))[0].persons, 0);
    // A frame that two files are.
    let folder = tempfile::tempdir().unwrap();
    for frame in ["v_1", "v_01", "v_2"] {
        let path = folder.path().join(format!("{frame}_keypoints.json"));
        std::fs::write(path, r#"{"people": []}"#).unwrap();
    }
    let input = Input {
        path: folder.path().to_owned(),
        split: None,
    };
    let refused = RawFiles::open(&[input], Meaning::default(), false).err();
    let message = refused.map_or(String::new(), |error| error.to_string());
    assert!(
        message.contains("frame 1, which") && message.contains("v_01"),
        "{message}"
    );
    // A name of the program's own says nothing: the folder's does.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("take7");
    std::fs::create_dir(&path).unwrap();
    let path = path.join("alphapose-results.json");
    std::fs::write(&path, r#"[{"image_id": 1, "keypoints": [1, 2, 3]}]"#).unwrap();
    assert_eq!(RawFile::open(&path).unwrap().ids(), ["take7"]);
}
