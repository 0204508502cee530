//! One `.skeleton` file.

use std::collections::HashMap;
use std::path::Path;

use super::text::{Lines, count_fields, digits_of, field, integer, number};
use crate::error::Mismatch;
use crate::kind::without_mark;
use crate::{Error, Form, Result};

/// Joints of a body, Kinect v2's.
pub const JOINTS: usize = 25;
/// Fields of a body's line: bodyID, clippedEdges, confidence and state of both hands, isRestricted, lean x and y,
/// trackingState.
const BODY_FIELDS: usize = 10;
/// Fields of a joint's line: x y z, depth x y, colour x y, orientation w x y z, trackingState.
const JOINT_FIELDS: usize = 12;
/// What a joint's line is.
const A_JOINT: &str = "a joint: 12 fields that begin with the numbers x, y, z";
/// What to do with bodies that aren't Kinect v2's.
const OTHER_JOINTS: &str = "bodies of other joints go into a .jsonl of clips with a layout of their own (ssl prepare FILE.jsonl --layout FILE.toml)";
/// Of what is found, a message shows so many bytes.
const SHOWN: usize = 40;

/// x, y, z of every joint, in metres; a missing joint is all zeros.
pub type Pose = [[f32; 3]; JOINTS];

/// A file as it is, before bodies are chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// All frames.
    pub frames: usize,
    /// Frames without any body.
    pub empty_frames: usize,
    /// Joints with a coordinate that is not finite, which became missing.
    pub missing_joints: usize,
    /// The bodies in order of their first sighting.
    pub bodies: Vec<Body>,
}

/// What the sensor took for one person.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// The sensor's number of it, 64 bits.
    pub id: u64,
    /// Where it was seen, in order.
    pub seen: Vec<Sighting>,
    /// Its pose at each sighting.
    pub poses: Vec<Pose>,
}

/// The frame in which a body was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Among all frames.
    pub frame: usize,
    /// Among the frames with any body.
    pub occupied: usize,
}

impl Recording {
    /// Reads a file's text; `path` is what messages call it.
    ///
    /// The text is a frame count; per frame a body count; per body its line of ten fields, the joint count and as many
    /// lines of twelve numbers, of which x, y and z are read and the others counted. Lines may end as on Windows.
    /// Memory grows with what was read, never with what a count promises.
    ///
    /// # Errors
    /// Names the line, what was expected there and what stands there.
    pub fn parse(path: &Path, text: &[u8]) -> Result<Recording> {
        let mut parser = Parser {
            path,
            lines: Lines::new(without_mark(text)),
            index: HashMap::new(),
            recording: Recording::default(),
        };
        let frames = parser.count("the number of frames")?;
        for _ in 0..frames {
            parser.frame()?;
        }
        while let Some(line) = parser.lines.next() {
            if count_fields(line) > 0 {
                let expected = format!("the end of the file after {frames} frames");
                return Err(parser.wrong(&expected, Some(line)));
            }
        }
        Ok(parser.recording)
    }
}

struct Parser<'a> {
    path: &'a Path,
    lines: Lines<'a>,
    /// Bodies by their number.
    index: HashMap<u64, usize>,
    recording: Recording,
}

impl Parser<'_> {
    fn frame(&mut self) -> Result<()> {
        let bodies = self.count("the number of bodies in a frame")?;
        for _ in 0..bodies {
            self.body()?;
        }
        self.recording.frames += 1;
        self.recording.empty_frames += usize::from(bodies == 0);
        Ok(())
    }

    fn body(&mut self) -> Result<()> {
        let line = self.lines.next();
        let id = line.and_then(|line| {
            let (id, rest) = field(line)?;
            digits_of(id).filter(|_| count_fields(rest) == BODY_FIELDS - 1)
        });
        let Some(id) = id else {
            let expected = "a body: 10 fields that begin with its number of 64 bits";
            return Err(self.wrong(expected, line));
        };
        let line = self.lines.next();
        match line.and_then(integer) {
            Some(joints) if joints == JOINTS as u64 => {}
            Some(joints) => {
                let found = format!("{joints}; {OTHER_JOINTS}");
                return Err(self.found("25, the number of joints", found));
            }
            None => return Err(self.wrong("25, the number of joints", line)),
        }
        let mut pose = [[0.0; 3]; JOINTS];
        for joint in &mut pose {
            let line = self.lines.next();
            let Some(position) = line.and_then(position) else {
                return Err(self.wrong(A_JOINT, line));
            };
            if position.iter().all(|x| x.is_finite()) {
                *joint = position;
            } else {
                self.recording.missing_joints += 1;
            }
        }
        self.see(id, pose);
        Ok(())
    }

    fn see(&mut self, id: u64, pose: Pose) {
        let recording = &mut self.recording;
        let index = *self.index.entry(id).or_insert(recording.bodies.len());
        if index == recording.bodies.len() {
            recording.bodies.push(Body {
                id,
                seen: Vec::new(),
                poses: Vec::new(),
            });
        }
        let body = &mut recording.bodies[index];
        body.seen.push(Sighting {
            frame: recording.frames,
            occupied: recording.frames - recording.empty_frames,
        });
        body.poses.push(pose);
    }

    fn count(&mut self, what: &str) -> Result<u64> {
        let line = self.lines.next();
        line.and_then(integer).ok_or_else(|| self.wrong(what, line))
    }

    fn wrong(&self, expected: &str, line: Option<&[u8]>) -> Error {
        let found = match line {
            None => "the end of the file".to_owned(),
            Some(line) => {
                let shown = String::from_utf8_lossy(&line[..line.len().min(SHOWN)]);
                let more = if line.len() > SHOWN { "..." } else { "" };
                let fields = count_fields(line);
                let found = format!("{:?}{more} ({fields} fields)", shown.trim());
                let after_a_body = !self.recording.bodies.is_empty() && expected != A_JOINT;
                match after_a_body && position(line).is_some() {
                    true => format!("{found}, a joint more than 25; {OTHER_JOINTS}"),
                    false => found,
                }
            }
        };
        self.found(expected, found)
    }

    fn found(&self, expected: &str, found: String) -> Error {
        let place = format!("line {}", self.lines.number);
        Mismatch::new(expected, found).at(Form::Skeleton, self.path, place)
    }
}

/// x, y, z of a joint's line that has all its fields.
#[inline]
fn position(line: &[u8]) -> Option<[f32; 3]> {
    let (x, rest) = number(line)?;
    let (y, rest) = number(rest)?;
    let (z, rest) = number(rest)?;
    (count_fields(rest) == JOINT_FIELDS - 3).then_some([x, y, z])
}
