//! One line of a stream: a frame with the people in it.

use std::path::Path;

use serde::Deserialize;

use crate::error::{Mismatch, json_message};
use crate::raw::people::{MOST_COMPARED, Pose};
use crate::{Error, Form, Result};

/// The value of `format` in a first line.
pub const FORMAT: &str = "skeleton-frames";
/// The version of that form.
pub const VERSION: u32 = 1;
/// The longest line in bytes: a thousand people have fewer.
pub const LONGEST_LINE: usize = 1 << 20;

/// What a line says.
#[derive(Clone, Debug)]
pub enum Line {
    /// What the frames are, in a line of its own before them.
    Header(Header),
    /// A frame.
    Frame(Frame),
}

/// What the frames are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// A built-in layout's name.
    pub layout: Option<String>,
}

/// Who is seen at one moment.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Seconds, where they are known.
    pub time: Option<f64>,
    /// Its number, where it is known.
    pub number: Option<i64>,
    /// (height, width) of the image, in pixels.
    pub image: Option<(u32, u32)>,
    pub(super) people: Vec<Pose>,
}

impl Frame {
    /// How many people it shows.
    pub fn people(&self) -> usize {
        self.people.len()
    }
}

/// What can stand in a line; people as our form, MMPose and OpenPose have them, or one person alone.
#[derive(Deserialize)]
struct Fields {
    format: Option<String>,
    /// Ours, or OpenPose's, which is no whole number.
    version: Option<f64>,
    layout: Option<String>,
    time: Option<f64>,
    #[serde(alias = "frame_id")]
    frame: Option<i64>,
    height: Option<u32>,
    width: Option<u32>,
    #[serde(alias = "instances")]
    people: Option<Vec<Person>>,
    #[serde(alias = "track_id")]
    id: Option<Id>,
    keypoints: Option<Keypoints>,
    #[serde(alias = "keypoint_scores")]
    scores: Option<Vec<Option<f32>>>,
}

/// Someone in a frame.
#[derive(Deserialize)]
struct Person {
    #[serde(alias = "track_id", alias = "idx")]
    id: Option<Id>,
    /// OpenPose's, -1 where it doesn't follow people.
    person_id: Option<Vec<i64>>,
    #[serde(alias = "pose_keypoints_2d")]
    keypoints: Option<Keypoints>,
    #[serde(alias = "keypoint_scores")]
    scores: Option<Vec<Option<f32>>>,
}

/// A person's number, which trackers also write as a list of one or as a fraction.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a person's number, or a list of one")]
enum Id {
    Number(f64),
    Numbers(Vec<f64>),
}

/// A row a joint, null of one that wasn't seen, or all numbers one after the other.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected `keypoints`, a row of numbers or null for each joint, or all numbers in one list"
)]
enum Keypoints {
    Flat(Vec<f32>),
    Rows(Vec<Option<Vec<f32>>>),
}

impl Line {
    /// Reads a line of people of v joints and c coordinates; `path` and `number` are for messages.
    ///
    /// # Errors
    /// JSON that is no frame, or people of other joints.
    pub fn parse(text: &[u8], (v, c): (usize, usize), path: &Path, number: u64) -> Result<Line> {
        Line::read(text, (v, c))
            .map_err(|mismatch| mismatch.at(Form::Frames, path, format!("line {number}")))
    }

    fn read(text: &[u8], (v, c): (usize, usize)) -> Result<Line, Mismatch> {
        let wrong = |error: serde_json::Error| {
            let expected = "a frame in JSON, such as {\"keypoints\": [[x, y], null, ...]}";
            Mismatch::new(expected, json_message(&error))
        };
        let start = text.iter().find(|byte| !byte.is_ascii_whitespace());
        if start == Some(&b'[') {
            // AlphaPose's people, those of one image.
            let people: Vec<Person> = serde_json::from_slice(text).map_err(wrong)?;
            return Ok(Line::Frame(Frame {
                time: None,
                number: None,
                image: None,
                people: poses(people, (v, c))?,
            }));
        }
        let fields: Fields = serde_json::from_slice(text).map_err(wrong)?;
        if let Some(format) = fields.format {
            return header(&format, fields.version, fields.layout).map(Line::Header);
        }
        if fields.time.is_some_and(|time| !time.is_finite()) {
            return Err(Mismatch::new("`time` in seconds", "no number"));
        }
        let people = match (fields.people, fields.keypoints) {
            (Some(people), None) => people,
            (None, Some(keypoints)) => vec![Person {
                id: fields.id,
                person_id: None,
                keypoints: Some(keypoints),
                scores: fields.scores,
            }],
            (Some(_), Some(_)) => {
                let expected = "`people`, or `keypoints` of one person";
                return Err(Mismatch::new(expected, "both"));
            }
            (None, None) => {
                let expected = "`people`, `instances` or `keypoints`";
                return Err(Mismatch::new(expected, "none of them"));
            }
        };
        Ok(Line::Frame(Frame {
            time: fields.time,
            number: fields.frame,
            image: fields.height.zip(fields.width),
            people: poses(people, (v, c))?,
        }))
    }
}

fn header(format: &str, version: Option<f64>, layout: Option<String>) -> Result<Header, Mismatch> {
    if (format, version) == (FORMAT, Some(f64::from(VERSION))) {
        return Ok(Header { layout });
    }
    let expected = format!("{FORMAT:?} of version {VERSION}");
    let version = version.map_or("none".to_owned(), |version| version.to_string());
    Err(Mismatch::new(
        expected,
        format!("{format:?} of version {version}"),
    ))
}

/// The people who are seen; a crowd is cut off.
fn poses(people: Vec<Person>, shape: (usize, usize)) -> Result<Vec<Pose>, Mismatch> {
    people
        .into_iter()
        .take(MOST_COMPARED)
        .map(|person| pose(person, shape))
        .collect()
}

fn pose(person: Person, (v, c): (usize, usize)) -> Result<Pose, Mismatch> {
    let given = match person.id {
        Some(Id::Number(id)) => Some(id),
        Some(Id::Numbers(ids)) => ids.first().copied(),
        None => None,
    };
    let numbered = person.person_id.and_then(|ids| ids.first().copied());
    let numbered = numbered.filter(|&id| id >= 0);
    let mut pose = Pose {
        person: given.map(|id| id as i64).or(numbered),
        places: vec![0.0; v * c],
        scores: vec![0.0; v],
    };
    let Some(keypoints) = person.keypoints else {
        return Err(Mismatch::new("`keypoints` of each person", "none"));
    };
    let expected = || format!("{v} joints of {c} coordinates, each perhaps with a score");
    let scores = person.scores;
    if let Some(scores) = &scores
        && scores.len() != v
    {
        let found = format!("{} scores", scores.len());
        return Err(Mismatch::new(expected(), found));
    }
    let mut put = |joint: usize, row: &[f32]| {
        let place = &row[..c];
        let score = match (&scores, row.get(c)) {
            (Some(scores), _) => scores[joint].unwrap_or(0.0),
            (None, Some(&score)) => score,
            (None, None) => 1.0,
        };
        let somewhere = place.iter().all(|x| x.is_finite()) && place.iter().any(|&x| x != 0.0);
        if somewhere && score > 0.0 {
            pose.places[joint * c..(joint + 1) * c].copy_from_slice(place);
            pose.scores[joint] = score;
        }
    };
    match keypoints {
        Keypoints::Flat(numbers) => {
            let width = numbers.len().checked_div(v).unwrap_or(0);
            if numbers.len() != v * width || !(c..=c + 1).contains(&width) {
                let found = format!("{} numbers", numbers.len());
                return Err(Mismatch::new(expected(), found));
            }
            let rows = numbers.chunks_exact(width).enumerate();
            rows.for_each(|(joint, row)| put(joint, row));
        }
        Keypoints::Rows(rows) => {
            let other = |row: &Vec<f32>| !(c..=c + 1).contains(&row.len());
            if rows.len() != v {
                return Err(Mismatch::new(expected(), format!("{} joints", rows.len())));
            }
            if let Some(row) = rows.iter().flatten().find(|row| other(row)) {
                let found = format!("a joint of {} numbers", row.len());
                return Err(Mismatch::new(expected(), found));
            }
            let rows = rows.iter().enumerate();
            rows.for_each(|(joint, row)| row.iter().for_each(|row| put(joint, row)));
        }
    }
    Ok(pose)
}

/// Where a line of a stream is longer than [`LONGEST_LINE`].
pub fn too_long(path: &Path, number: u64) -> Error {
    let expected = format!("a line of at most {LONGEST_LINE} bytes");
    Mismatch::new(expected, "a longer one").at(Form::Frames, path, format!("line {number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> Result<Frame, String> {
        match Line::parse(text.as_bytes(), (2, 2), Path::new("-"), 7) {
            Ok(Line::Frame(frame)) => Ok(frame),
            Ok(Line::Header(header)) => Err(format!("{header:?}")),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn frames_of_several_programs_are_the_same_people() {
        for text in [
            r#"{"keypoints": [[1, 2, 0.5], [3, 4, 0.25]], "id": 4}"#,
            r#"{"people": [{"id": 4, "keypoints": [[1, 2], [3, 4]], "scores": [0.5, 0.25]}]}"#,
            r#"{"version": 1.3, "people": [{"person_id": [4], "pose_keypoints_2d": [1, 2, 0.5, 3, 4, 0.25]}]}"#,
            r#"{"frame_id": 1, "instances": [{"keypoints": [[1, 2], [3, 4]], "keypoint_scores": [0.5, 0.25], "track_id": 4, "bbox": [[0, 0, 1, 1]]}]}"#,
            r#"[{"image_id": "1.jpg", "category_id": 1, "keypoints": [1, 2, 0.5, 3, 4, 0.25], "score": 2.9, "idx": [4.0]}]"#,
        ] {
            let frame = frame(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let pose = &frame.people[0];
            assert_eq!(pose.person, Some(4), "{text}");
            assert_eq!(pose.places, [1.0, 2.0, 3.0, 4.0], "{text}");
            assert_eq!(pose.scores, [0.5, 0.25], "{text}");
        }
    }

    #[test]
    fn who_was_not_seen_is_nowhere() {
        let frame = frame(
            r#"{"time": 1.5, "height": 480, "width": 640, "people": [{"keypoints": [null, [3, 4]], "scores": [0.9, null]},
                {"keypoints": [[0, 0], [5, 6]], "person_id": [-1]}]}"#,
        )
        .unwrap();
        assert_eq!((frame.time, frame.image), (Some(1.5), Some((480, 640))));
        assert_eq!(frame.people[0].scores, [0.0, 0.0]);
        assert_eq!(frame.people[1].places, [0.0, 0.0, 5.0, 6.0]);
        assert_eq!(frame.people[1].person, None);
        let empty = super::tests::frame(r#"{"people": []}"#).unwrap();
        assert_eq!(empty.people(), 0);
    }

    #[test]
    fn a_line_that_is_no_frame_is_refused_by_its_number() {
        for (text, says) in [
            ("{", "a frame in JSON"),
            ("{}", "none of them"),
            (r#"{"keypoints": [[1, 2]]}"#, "2 joints of 2 coordinates"),
            (r#"{"keypoints": [[1, 2], [3]]}"#, "a joint of 1 numbers"),
            (r#"{"keypoints": [1, 2, 3]}"#, "3 numbers"),
            (r#"{"keypoints": [[1, 2], NaN]}"#, "a frame in JSON"),
            (r#"{"people": [{"id": 1}]}"#, "`keypoints` of each person"),
            (r#"{"people": [], "keypoints": []}"#, "both"),
            (
                r#"{"format": "skeleton-frames", "version": 2}"#,
                "version 2",
            ),
            (
                r#"{"format": "skeleton-clips", "version": 1}"#,
                "skeleton-clips",
            ),
        ] {
            let error = frame(text).unwrap_err();
            assert!(error.contains("line 7") && error.contains(says), "{error}");
        }
        let header = frame(r#"{"format": "skeleton-frames", "version": 1, "layout": "coco17"}"#);
        assert!(header.unwrap_err().contains("coco17"));
    }
}
