//! What pose estimators write about a video, as JSON: one clip a file, or one a folder of a file a frame.
//!
//! | program | form | people |
//! |---|---|---|
//! | AlphaPose, and results in COCO's form | a list of `{"image_id", "keypoints": [x, y, score, ...], "score", "idx"}`, one a person and image | `idx`, where tracking was on |
//! | MMPose | `{"instance_info": [{"frame_id", "instances": [{"keypoints", "keypoint_scores", "track_id"}]}]}`, or that list alone | `track_id`, where there is one |
//! | OpenPose | a folder of `NAME_000000000012_keypoints.json`: `{"people": [{"pose_keypoints_2d", "person_id"}]}` | `person_id`, where it isn't -1 |
//!
//! Frames come in the order of their numbers; those that show nobody, which AlphaPose leaves out, leave no trace, as reading a clip
//! leaves them out too. Without numbers of people, a person is the one of the frame before whose joints are nearest on average, the
//! nearest pairs first, and no farther away than the diagonal of their box. At most [`MOST_PEOPLE`] people are kept, those that are seen in the most frames. A joint of score 0 was not
//! found. The clip is called what the file is called; where that is the program's own name for it, what the folder is called.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::people::{MOST_COMPARED, MOST_PEOPLE, Pose, matched};
use super::{Contents, stem};
use crate::error::{Mismatch, json_message};
use crate::{Error, Form, Kind, Result, Sequence, Values, names};

/// Names that programs give to their files, which say nothing of the clip.
const OWN_NAMES: [&str; 4] = ["alphapose-results", "results", "predictions", "keypoints"];
/// How a frame's file of OpenPose ends.
const FRAME: &str = "_keypoints.json";
/// Joints of a person at most: far above any layout's.
const MOST_JOINTS: usize = 1 << 12;

/// The people of each frame, by its number.
type Frames = BTreeMap<i64, Vec<Pose>>;

/// Reads the JSON of AlphaPose or MMPose: a list or an object.
pub(super) fn open(path: &Path, bytes: &[u8]) -> Result<(Contents, Sequence)> {
    let frames = match Kind::of(bytes) {
        Some(Kind::JsonList) => listed(path, bytes)?,
        _ => instances(path, &parse::<MmposeVideo>(path, bytes)?.instance_info)?,
    };
    video(path, name(path), frames)
}

/// Whether an object of JSON is a clip of MMPose, and not the first of JSON lines.
pub(super) fn is_video(bytes: &[u8]) -> bool {
    // The keys that MMPose's demo writes stand at the beginning; `meta_info` can be long.
    let begins = &bytes[..bytes.len().min(1 << 16)];
    let has = |key: &[u8]| memchr::memmem::find(begins, key).is_some();
    has(b"\"instance_info\"") || (has(b"\"meta_info\"") && !has(b"\"format\""))
}

/// Whether a file is one frame of OpenPose, by its name.
pub(super) fn is_frame(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.to_ascii_lowercase().ends_with(FRAME)
}

/// Which video a frame's file belongs to, and the number of the frame.
pub(super) fn frame_of(path: &Path) -> (String, i64) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = &name[..name.len().saturating_sub(FRAME.len())];
    match stem.rsplit_once('_') {
        Some((video, number)) => match number.parse() {
            Ok(number) => (video.to_owned(), number),
            Err(_) => (stem.to_owned(), 0),
        },
        // A video without a name.
        None => (String::new(), stem.parse().unwrap_or(0)),
    }
}

/// Puts the frames of one video of OpenPose together; `read` gives a file's bytes.
pub(super) fn open_frames(
    folder: &Path,
    files: &[PathBuf],
    read: impl Fn(&Path) -> Result<Vec<u8>>,
) -> Result<(Contents, Sequence)> {
    let mut frames = Frames::new();
    let mut id = String::new();
    for path in files {
        let (video, number) = frame_of(path);
        let people: People = parse(path, &read(path)?)?;
        let people = people.people.into_iter().enumerate();
        let poses = people.map(|(at, person)| {
            let place = format!("person {at}: `pose_keypoints_2d`");
            let (places, scores) =
                triples(&person.pose_keypoints_2d).map_err(at_place(path, &place))?;
            let person = person.person_id.and_then(|ids| ids.first().copied());
            Ok(Pose {
                person: person.filter(|&id| id >= 0),
                places,
                scores,
            })
        });
        if frames
            .insert(number, poses.collect::<Result<_>>()?)
            .is_some()
        {
            let same = files.iter().find(|other| frame_of(other).1 == number);
            let same = same.map_or(String::new(), |other| other.display().to_string());
            let wrong = Mismatch::new(
                "a frame once",
                format!("frame {number}, which {same} is, too"),
            );
            return Err(wrong.at(Form::Estimates, path, ""));
        }
        id = video;
    }
    if id.is_empty() {
        id = name(&folder.join(OWN_NAMES[1]));
    }
    video(folder, id, frames)
}

/// The clip's name by its file's.
fn name(path: &Path) -> String {
    let own = stem(path);
    if !OWN_NAMES.contains(&own.as_str()) {
        return own;
    }
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = whole.parent().and_then(Path::file_name);
    folder.map_or(own, |folder| folder.to_string_lossy().into_owned())
}

fn parse<'a, T: Deserialize<'a>>(path: &Path, bytes: &'a [u8]) -> Result<T> {
    serde_json::from_slice(crate::kind::without_mark(bytes)).map_err(|error| {
        let expected = "JSON of AlphaPose, MMPose or OpenPose";
        Mismatch::new(expected, error.to_string()).at(Form::Estimates, path, "")
    })
}

fn at_place(path: &Path, place: &str) -> impl Fn(Mismatch) -> Error {
    move |mismatch| mismatch.at(Form::Estimates, path, place)
}

/// What MMPose's demo writes of a video.
#[derive(Deserialize)]
struct MmposeVideo<'a> {
    #[serde(borrow)]
    instance_info: Vec<&'a RawValue>,
}

/// A frame of MMPose.
#[derive(Deserialize)]
struct Frame {
    frame_id: i64,
    #[serde(default)]
    instances: Vec<Instance>,
}

/// A person of MMPose.
#[derive(Deserialize)]
struct Instance {
    keypoints: Vec<Vec<f32>>,
    #[serde(default)]
    keypoint_scores: Option<Vec<f32>>,
    #[serde(default)]
    track_id: Option<i64>,
}

/// A person of AlphaPose.
#[derive(Deserialize)]
struct Detection {
    image_id: Image,
    keypoints: Vec<f32>,
    #[serde(default)]
    idx: Option<Person>,
}

/// An image by its name or number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Image {
    Number(i64),
    Name(String),
}

/// A person's number, which trackers of AlphaPose also write as a list of one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Person {
    Number(f64),
    Numbers(Vec<f64>),
}

/// A frame of OpenPose.
#[derive(Deserialize)]
struct People {
    people: Vec<OpenPerson>,
}

/// A person of OpenPose.
#[derive(Deserialize)]
struct OpenPerson {
    #[serde(default)]
    person_id: Option<Vec<i64>>,
    pose_keypoints_2d: Vec<f32>,
}

/// A list: of AlphaPose's people, or of MMPose's frames.
fn listed(path: &Path, bytes: &[u8]) -> Result<Frames> {
    let items: Vec<&RawValue> = parse(path, bytes)?;
    let Some(item) = items.first() else {
        return Ok(Frames::new());
    };
    if item.get().contains("\"frame_id\"") {
        return instances(path, &items);
    }
    let mut numbers: BTreeMap<String, i64> = BTreeMap::new();
    let mut frames = Frames::new();
    for (at, item) in items.iter().enumerate() {
        let place = format!("person {at}");
        let detection: Detection = serde_json::from_str(item.get()).map_err(|error| {
            let expected = "`image_id` and `keypoints`, as AlphaPose writes them";
            at_place(path, &place)(Mismatch::new(expected, json_message(&error)))
        })?;
        let number = match detection.image_id {
            Image::Number(number) => number,
            Image::Name(name) => match last_number(&name) {
                Some(number) => number,
                None => {
                    // Images without numbers stay in the order of their first person.
                    let next = numbers.len() as i64;
                    *numbers.entry(name).or_insert(next)
                }
            },
        };
        let place = format!("{place}: `keypoints`");
        let (places, scores) = triples(&detection.keypoints).map_err(at_place(path, &place))?;
        let person = match detection.idx {
            Some(Person::Number(id)) => Some(id),
            Some(Person::Numbers(ids)) => ids.first().copied(),
            None => None,
        };
        frames.entry(number).or_default().push(Pose {
            person: person.map(|id| id as i64),
            places,
            scores,
        });
    }
    Ok(frames)
}

/// The last number in an image's name: `frames/000012.jpg` is image 12.
fn last_number(name: &str) -> Option<i64> {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let end = stem.rfind(|letter: char| letter.is_ascii_digit())? + 1;
    let start = stem[..end].rfind(|letter: char| !letter.is_ascii_digit());
    // A letter beside the number can take several bytes.
    let start = start.map_or(0, |at| {
        at + stem[at..].chars().next().map_or(1, char::len_utf8)
    });
    stem[start..end].parse().ok()
}

/// MMPose's frames.
fn instances(path: &Path, items: &[&RawValue]) -> Result<Frames> {
    let mut frames = Frames::new();
    for (at, item) in items.iter().enumerate() {
        let place = format!("frame {at}");
        let wrong = at_place(path, &place);
        let frame: Frame = serde_json::from_str(item.get()).map_err(|error| {
            let expected = "`frame_id` and `instances` with `keypoints`, as MMPose writes them";
            wrong(Mismatch::new(expected, json_message(&error)))
        })?;
        let poses = frame
            .instances
            .into_iter()
            .enumerate()
            .map(|(at, instance)| {
                let joints = instance.keypoints.len();
                let c = instance.keypoints.first().map_or(2, Vec::len);
                let scores = instance
                    .keypoint_scores
                    .unwrap_or_else(|| vec![1.0; joints]);
                let wrong = |expected: String, found: String| {
                    Err(at_place(path, &format!("{place}, person {at}"))(
                        Mismatch::new(expected, found),
                    ))
                };
                let other = instance.keypoints.iter().find(|place| place.len() != c);
                let width = other.map_or(c, Vec::len);
                if width != c || !(2..=3).contains(&c) {
                    let expected = "`keypoints` of 2 or 3 coordinates, all of as many".to_owned();
                    return wrong(expected, format!("{width} numbers of a joint"));
                }
                if joints > MOST_JOINTS {
                    return wrong(format!("at most {MOST_JOINTS} joints"), joints.to_string());
                }
                if scores.len() != joints {
                    let expected = format!("{joints} scores, one for each of `keypoints`");
                    return wrong(expected, scores.len().to_string());
                }
                Ok(Pose {
                    person: instance.track_id,
                    places: instance.keypoints.concat(),
                    scores,
                })
            });
        let poses = poses.collect::<Result<Vec<_>>>()?;
        frames.entry(frame.frame_id).or_default().extend(poses);
    }
    Ok(frames)
}

/// x, y, score, x, y, score, ...
fn triples(numbers: &[f32]) -> Result<(Vec<f32>, Vec<f32>), Mismatch> {
    let (rows, rest) = numbers.as_chunks::<3>();
    if !rest.is_empty() || rows.len() > MOST_JOINTS {
        let expected = format!("x, y and a score for each of at most {MOST_JOINTS} joints");
        return Err(Mismatch::new(
            expected,
            format!("{} numbers", numbers.len()),
        ));
    }
    let places = rows.iter().flat_map(|row| [row[0], row[1]]);
    Ok((places.collect(), rows.iter().map(|row| row[2]).collect()))
}

/// Someone, over time.
struct Track {
    /// What the program calls them.
    person: Option<i64>,
    /// Which pose of which frame, by rank.
    poses: Vec<(usize, usize)>,
}

/// One clip of the frames.
fn video(path: &Path, id: String, frames: Frames) -> Result<(Contents, Sequence)> {
    let seen = frames.into_iter().filter(|(_, poses)| !poses.is_empty());
    let (numbers, frames): (Vec<i64>, Vec<Vec<Pose>>) = seen.unzip();
    let first = frames.first().and_then(|poses| poses.first());
    let v = first.map_or(0, |pose| pose.scores.len());
    let c = first.map_or(2, |pose| pose.places.len() / v.max(1));
    for (frame, poses) in numbers.iter().zip(&frames) {
        if let Some(other) = poses
            .iter()
            .find(|pose| (pose.scores.len(), pose.places.len()) != (v, v * c))
        {
            let expected = format!("{v} joints of {c} coordinates, as the first person has");
            let found = format!("{} of {} numbers", other.scores.len(), other.places.len());
            return Err(Mismatch::new(expected, found).at(
                Form::Estimates,
                path,
                format!("frame {frame}"),
            ));
        }
    }
    if !names::is_name(&id) {
        let wrong = Mismatch::new(names::expected("a name for the clip"), names::found(&id));
        return Err(wrong.at(Form::Estimates, path, "the file's name"));
    }
    let mut tracks = follow(&frames);
    tracks.sort_by_key(|track| std::cmp::Reverse(track.poses.len()));
    tracks.truncate(MOST_PEOPLE);
    // The order in which they come.
    tracks.sort_by_key(|track| track.poses[0]);
    let (m, t) = (tracks.len(), frames.len());
    let mut keypoints = vec![0.0; m * t * v * c];
    let mut scores = vec![0.0; m * t * v];
    for (person, track) in tracks.iter().enumerate() {
        for &(frame, pose) in &track.poses {
            let (pose, row) = (&frames[frame][pose], (person * t + frame) * v);
            for joint in (0..v).filter(|&joint| pose.scores[joint] > 0.0) {
                let at = (row + joint) * c;
                keypoints[at..at + c].copy_from_slice(&pose.places[joint * c..(joint + 1) * c]);
                scores[row + joint] = pose.scores[joint];
            }
        }
    }
    let contents = Contents {
        ids: vec![id.clone()],
        joints: v,
        coordinates: c,
        classes: 0,
        element_types: vec!["float32"],
        splits: Vec::new(),
    };
    let clip = Sequence {
        scores: Some(Values::F32(scores)),
        ..Sequence::new(id, [m, t, v, c], Values::F32(keypoints))
    };
    Ok((contents, clip))
}

/// Who is who from frame to frame.
fn follow(frames: &[Vec<Pose>]) -> Vec<Track> {
    let mut tracks: Vec<Track> = Vec::new();
    // The tracks seen in the frame before.
    let mut open: Vec<usize> = Vec::new();
    let mut named: BTreeMap<i64, usize> = BTreeMap::new();
    for (rank, poses) in frames.iter().enumerate() {
        let last = |&track: &usize| {
            let &(frame, last) = tracks[track].poses.last()?;
            let unnamed = tracks[track].person.is_none();
            unnamed.then(|| (track, &frames[frame][last]))
        };
        let seen: Vec<(usize, &Pose)> = open.iter().filter_map(last).collect();
        let of_pose = matched(poses, |person| named.get(&person).copied(), &seen);
        open.clear();
        for (at, pose) in poses.iter().enumerate() {
            let track = of_pose[at].unwrap_or_else(|| {
                tracks.push(Track {
                    person: pose.person,
                    poses: Vec::new(),
                });
                let new = tracks.len() - 1;
                if let Some(person) = pose.person {
                    named.entry(person).or_insert(new);
                }
                new
            });
            tracks[track].poses.push((rank, at));
            if open.len() < MOST_COMPARED {
                open.push(track);
            }
        }
    }
    tracks
}
