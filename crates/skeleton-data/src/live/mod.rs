//! Frames as they come: a window that slides over them, and is a clip whenever it is asked for.
//!
//! - A frame without anybody is a frame: time passes, and who was there is gone once the window has left them behind.
//! - Who has no number of the tracker's is found again by the nearest pose, as in the files of pose estimators, as long as the
//!   window still shows them.
//! - After a gap in time (or a step back), and when the size of the image changes, the window begins anew: what was before and
//!   what follows are no one movement, or not in one measure.
//! - Memory is bounded: by the frames of a window ([`MOST_FRAMES`] at most), and the people of a frame.

mod frame;

use std::collections::{BTreeMap, VecDeque};
use std::str::FromStr;

pub use self::frame::{FORMAT, Frame, Header, LONGEST_LINE, Line, VERSION, too_long};
use crate::raw::MOST_PEOPLE;
use crate::raw::people::{Pose, matched};
use crate::{Error, Result, Sequence, Values};

/// The most frames of a window.
pub const MOST_FRAMES: usize = 1 << 14;
/// The longest window, in seconds.
const LONGEST: f64 = 600.0;
/// The most people of a frame who are kept.
const MOST_KEPT: usize = 2 * MOST_PEOPLE;

/// How much of a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Span {
    /// So many frames.
    Frames(usize),
    /// So many seconds.
    Seconds(f64),
}

impl FromStr for Span {
    type Err = String;

    /// Reads `64` (frames) or `2.5s` (seconds).
    fn from_str(text: &str) -> Result<Span, String> {
        let span = match text.strip_suffix('s') {
            Some(seconds) => seconds.trim().parse().ok().map(Span::Seconds),
            None => text.parse().ok().map(Span::Frames),
        };
        match span {
            Some(Span::Frames(frames)) if (1..=MOST_FRAMES).contains(&frames) => {}
            Some(Span::Seconds(seconds)) if seconds > 0.0 && seconds <= LONGEST => {}
            _ => {
                return Err(format!(
                    "expected frames, 1 to {MOST_FRAMES}, or seconds up to {LONGEST}, such as 64 or 2.5s"
                ));
            }
        }
        Ok(span.unwrap_or(Span::Frames(1)))
    }
}

/// How a stream is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// How much of it is a clip.
    pub window: Span,
    /// From one clip to the next.
    pub hop: Span,
    /// Seconds between two frames from which on they are no one movement.
    pub gap: f64,
    /// Frames a second, where frames don't say when they are.
    pub rate: f64,
}

impl Settings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// A setting out of its range, by name.
    pub fn check(&self) -> Result<()> {
        for (name, value) in [("gap", self.gap), ("fps", self.rate)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::setting(name, "a number above 0", value));
            }
        }
        Ok(())
    }
}

/// Why a window began anew.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Restart {
    /// So many seconds without a frame.
    Gap(f64),
    /// A frame from so many seconds before the last one.
    Back(f64),
    /// An image of another size (height, width).
    Size((u32, u32)),
}

/// A window's clip that is to be answered.
#[derive(Clone, Debug)]
pub struct Due {
    /// When its last frame was, in seconds.
    pub time: f64,
    /// The number of that frame, counted from 1.
    pub frame: u64,
    /// Who is in it, in the order of the clip: the tracker's numbers, or `p1`, `p2`, ... of people whom it doesn't number.
    pub people: Vec<String>,
    /// The clip; nobody is in it where nobody was seen.
    pub clip: Sequence,
}

impl Due {
    /// A clip of each person alone.
    pub fn apart(&self) -> Vec<Due> {
        let all = &self.clip;
        let (numbers, rows) = (
            all.frames * all.joints * all.coordinates,
            all.frames * all.joints,
        );
        let (Values::F32(keypoints), Some(Values::F32(scores))) = (&all.keypoints, &all.scores)
        else {
            return Vec::new();
        };
        let alone = |(at, name): (usize, &String)| Due {
            people: vec![name.clone()],
            clip: Sequence {
                persons: 1,
                keypoints: Values::F32(keypoints[at * numbers..(at + 1) * numbers].to_vec()),
                scores: Some(Values::F32(scores[at * rows..(at + 1) * rows].to_vec())),
                ..all.clone()
            },
            ..self.clone()
        };
        self.people.iter().enumerate().map(alone).collect()
    }
}

/// What a frame brought about, in this order.
#[derive(Debug, Default)]
pub struct Step {
    /// The end of a window that doesn't go on, where not all of it was answered.
    pub ended: Option<Due>,
    /// Why it doesn't.
    pub restart: Option<Restart>,
    /// A clip that is to be answered.
    pub due: Option<Due>,
}

/// A frame of the window.
struct Kept {
    time: f64,
    /// Track and pose.
    people: Vec<(usize, Pose)>,
}

/// Someone in the window.
struct Track {
    person: Option<i64>,
    name: String,
    last: Pose,
    /// In how many of its frames.
    frames: usize,
}

/// The last frames of a stream.
pub struct Window {
    settings: Settings,
    /// v and c.
    shape: (usize, usize),
    image: Option<(u32, u32)>,
    frames: VecDeque<Kept>,
    tracks: BTreeMap<usize, Track>,
    /// When the first frame since the window began was.
    began: f64,
    /// When was answered last, and how many frames ago.
    answered: Option<f64>,
    unanswered: usize,
    /// Frames in all, tracks in all, people without numbers in all.
    count: u64,
    next: usize,
    unnamed: u64,
}

impl std::fmt::Debug for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (frames, people) = (self.frames.len(), self.tracks.len());
        write!(f, "Window({frames} frames, {people} people)")
    }
}

impl Window {
    /// An empty one, for people of v joints and c coordinates.
    ///
    /// # Errors
    /// As [`Settings::check`].
    pub fn new(settings: Settings, shape: (usize, usize)) -> Result<Window> {
        settings.check()?;
        Ok(Window {
            settings,
            shape,
            image: None,
            frames: VecDeque::new(),
            tracks: BTreeMap::new(),
            began: 0.0,
            answered: None,
            unanswered: 0,
            count: 0,
            next: 0,
            unnamed: 0,
        })
    }

    /// Takes the next frame.
    pub fn push(&mut self, frame: Frame) -> Step {
        let mut step = Step::default();
        let last = self.frames.back().map(|kept| kept.time);
        let time = self.time(&frame, last);
        if let Some(why) = self.restarts(&frame, time, last) {
            step.ended = self.end();
            step.restart = Some(why);
            self.frames.clear();
            self.tracks.clear();
            self.answered = None;
        }
        if self.frames.is_empty() {
            self.began = time;
        }
        self.image = frame.image.or(self.image);
        self.count += 1;
        self.unanswered += 1;
        let people = self.follow(frame.people);
        self.frames.push_back(Kept { time, people });
        self.forget(time);
        if self.is_due(time) {
            step.due = Some(self.answer());
        }
        step
    }

    /// The clip of what was not answered yet, at the end of the stream.
    pub fn end(&mut self) -> Option<Due> {
        (self.unanswered > 0 && !self.frames.is_empty()).then(|| self.answer())
    }

    /// When a frame is.
    fn time(&self, frame: &Frame, last: Option<f64>) -> f64 {
        let step = 1.0 / self.settings.rate;
        match (frame.time, frame.number) {
            (Some(time), _) => time,
            (None, Some(number)) => number as f64 * step,
            (None, None) => last.map_or(self.count as f64 * step, |last| last + step),
        }
    }

    fn restarts(&self, frame: &Frame, time: f64, last: Option<f64>) -> Option<Restart> {
        let last = last?;
        if time < last {
            return Some(Restart::Back(last - time));
        }
        if time - last > self.settings.gap {
            return Some(Restart::Gap(time - last));
        }
        match (frame.image, self.image) {
            (Some(now), Some(before)) if now != before => Some(Restart::Size(now)),
            _ => None,
        }
    }

    /// Finds out who the people of a frame are.
    fn follow(&mut self, mut poses: Vec<Pose>) -> Vec<(usize, Pose)> {
        let of_pose = {
            let tracks = &self.tracks;
            let unnamed = tracks.iter().filter(|(_, track)| track.person.is_none());
            let open: Vec<(usize, &Pose)> = unnamed.map(|(&at, track)| (at, &track.last)).collect();
            let named = |person: i64| {
                let mut all = tracks.iter();
                all.find_map(|(&at, track)| (track.person == Some(person)).then_some(at))
            };
            matched(&poses, named, &open)
        };
        poses.truncate(MOST_KEPT);
        let mut people = Vec::with_capacity(poses.len());
        for (pose, track) in poses.into_iter().zip(of_pose) {
            // Who shows no joint is not there.
            if pose.scores.iter().all(|&score| score <= 0.0) {
                continue;
            }
            let at = track.unwrap_or_else(|| self.enter(&pose));
            if let Some(track) = self.tracks.get_mut(&at) {
                track.last.clone_from(&pose);
                track.frames += 1;
            }
            people.push((at, pose));
        }
        people
    }

    /// A track of somebody who is new.
    fn enter(&mut self, pose: &Pose) -> usize {
        let taken = |person| {
            self.tracks
                .values()
                .any(|track| track.person == Some(person))
        };
        // A number that a frame has twice is one person's once.
        let person = pose.person.filter(|&person| !taken(person));
        let name = match person {
            Some(person) => person.to_string(),
            None => {
                self.unnamed += 1;
                format!("p{}", self.unnamed)
            }
        };
        let at = self.next;
        self.next += 1;
        let track = Track {
            person,
            name,
            last: pose.clone(),
            frames: 0,
        };
        self.tracks.insert(at, track);
        at
    }

    /// Lets go of what the window has left behind.
    fn forget(&mut self, now: f64) {
        let is_past = |frames: &VecDeque<Kept>| match (self.settings.window, frames.front()) {
            (_, Some(_)) if frames.len() > MOST_FRAMES => true,
            (Span::Frames(most), _) => frames.len() > most,
            (Span::Seconds(most), Some(first)) => now - first.time > most,
            (Span::Seconds(_), None) => false,
        };
        while is_past(&self.frames) {
            for (at, _) in self
                .frames
                .pop_front()
                .into_iter()
                .flat_map(|kept| kept.people)
            {
                if let Some(track) = self.tracks.get_mut(&at) {
                    track.frames -= 1;
                    if track.frames == 0 {
                        self.tracks.remove(&at);
                    }
                }
            }
        }
    }

    fn is_due(&self, now: f64) -> bool {
        // What is added up of many frames' times is off by rounding.
        let slack = 1e-6;
        let is_full = match self.settings.window {
            Span::Frames(most) => self.frames.len() >= most,
            Span::Seconds(most) => now - self.began >= most - slack,
        };
        let hopped = match (self.settings.hop, self.answered) {
            (_, None) => true,
            (Span::Frames(hop), _) => self.unanswered >= hop,
            (Span::Seconds(hop), Some(answered)) => now - answered >= hop - slack,
        };
        is_full && hopped
    }

    /// The window as a clip.
    fn answer(&mut self) -> Due {
        let time = self.frames.back().map_or(0.0, |kept| kept.time);
        self.answered = Some(time);
        self.unanswered = 0;
        let mut order: Vec<usize> = self.tracks.keys().copied().collect();
        order.sort_by_key(|at| std::cmp::Reverse(self.tracks[at].frames));
        order.truncate(MOST_PEOPLE);
        order.sort_unstable();
        let ((v, c), t) = (self.shape, self.frames.len());
        let mut keypoints = vec![0.0; order.len() * t * v * c];
        let mut scores = vec![0.0; order.len() * t * v];
        for (frame, kept) in self.frames.iter().enumerate() {
            for (at, pose) in &kept.people {
                let Ok(person) = order.binary_search(at) else {
                    continue;
                };
                let row = person * t + frame;
                keypoints[row * v * c..(row + 1) * v * c].copy_from_slice(&pose.places);
                scores[row * v..(row + 1) * v].copy_from_slice(&pose.scores);
            }
        }
        Due {
            time,
            frame: self.count,
            people: order
                .iter()
                .map(|at| self.tracks[at].name.clone())
                .collect(),
            clip: Sequence {
                scores: Some(Values::F32(scores)),
                image: self.image,
                ..Sequence::new(
                    format!("frame {}", self.count),
                    [order.len(), t, v, c],
                    Values::F32(keypoints),
                )
            },
        }
    }
}

#[cfg(test)]
mod tests;
