//! From bodies to people: the rules of [`Rules`], in their order.

mod people;
#[cfg(test)]
mod tests;

pub use self::people::People;
use self::people::Single;
use super::rules::{Decision, Order, Rules, Skip};
use super::{Body, Pose, Recording};

/// A body on the clip's time.
struct Track<'a> {
    body: &'a Body,
    /// Its frames, rising, one a pose.
    at: Vec<usize>,
    motion: f32,
}

impl Track<'_> {
    fn start(&self) -> usize {
        self.at.first().copied().unwrap_or(0)
    }

    /// The frame after its last.
    fn end(&self) -> usize {
        self.at.last().map_or(0, |last| last + 1)
    }

    fn frames(&self) -> usize {
        self.at.len()
    }

    fn placed(&self, person: usize) -> Decision {
        Decision::Placed {
            body: self.body.id,
            person,
            start: self.start(),
            frames: self.frames(),
        }
    }
}

/// Chooses the people of a recording, and says what was dropped or moved on the way, in order.
pub fn choose(recording: &Recording, rules: &Rules) -> (Result<People, Skip>, Vec<Decision>) {
    let mut log = Vec::new();
    if recording.missing_joints > 0 {
        log.push(Decision::MissingJoints {
            joints: recording.missing_joints,
        });
    }
    let people = chosen(recording, rules, &mut log);
    let people = people.map(|people| people.stored(rules.half, &mut log));
    (people, log)
}

fn chosen(recording: &Recording, rules: &Rules, log: &mut Vec<Decision>) -> Result<Single, Skip> {
    let mut tracks = tracks(recording, rules, log);
    match &tracks[..] {
        [] => return Err(Skip::NoBody),
        [lone] => return Single::of(lone, log),
        _ => {}
    }
    sort(&mut tracks, rules.order);
    tracks.retain(|track| {
        let keep = track.frames() >= rules.min_frames;
        if !keep {
            log.push(Decision::Short {
                body: track.body.id,
                frames: track.frames(),
            });
        }
        keep
    });
    if let [lone] = &tracks[..] {
        return Single::of(lone, log);
    }
    tracks.retain_mut(|track| is_body(track, rules, log));
    sort(&mut tracks, rules.order);
    match &tracks[..] {
        [] => return Err(Skip::NoBodyLeft),
        [lone] => return Single::of(lone, log),
        _ => {}
    }
    let mut people = in_slots(&tracks, rules, log)?;
    people.trim(rules.trim_below, log)?;
    if rules.swap_absent_first {
        people.swap(rules.trim_below, log);
    }
    Ok(people)
}

/// Rule 1: bodies on the clip's time.
fn tracks<'a>(recording: &'a Recording, rules: &Rules, log: &mut Vec<Decision>) -> Vec<Track<'a>> {
    if rules.drop_empty_frames && recording.empty_frames > 0 {
        log.push(Decision::EmptyFrames {
            frames: recording.empty_frames,
        });
    }
    let track = |body: &'a Body| {
        let seen = body.seen.iter();
        let mut at: Vec<usize> = match rules.drop_empty_frames {
            true => seen.map(|sighting| sighting.occupied).collect(),
            false => seen.map(|sighting| sighting.frame).collect(),
        };
        // A damaged file can show a body twice in one frame: the second sighting is the next frame's then, as packed ones
        // are.
        let packed = at.first().map_or(0, |start| start + at.len());
        let gaps = at
            .last()
            .map_or(0, |last| (last + 1).saturating_sub(packed));
        let twice = at.windows(2).any(|pair| pair[0] == pair[1]);
        if rules.close_gaps || twice {
            if gaps > 0 {
                log.push(Decision::GapsClosed {
                    body: body.id,
                    frames: gaps,
                });
            }
            let start = at.first().copied().unwrap_or(0);
            at = (start..start + at.len()).collect();
        }
        Track {
            body,
            at,
            motion: motion(body.poses.iter()),
        }
    };
    recording.bodies.iter().map(track).collect()
}

/// Rule 2, and again after rule 3: stable, so that equals stay in the order of their first sighting.
fn sort(tracks: &mut [Track<'_>], order: Order) {
    match order {
        Order::Motion => tracks.sort_by(|a, b| b.motion.total_cmp(&a.motion)),
        Order::Frames => tracks.sort_by_key(|track| std::cmp::Reverse(track.frames())),
        Order::Seen => {}
    }
}

/// Rule 3: whether it looks like a body in enough frames; its motion may be measured again.
fn is_body(track: &mut Track<'_>, rules: &Rules, log: &mut Vec<Decision>) -> bool {
    let poses = &track.body.poses;
    let clean = |pose: &&Pose| is_clean(pose, rules.max_width);
    let wide = poses.len() - poses.iter().filter(clean).count();
    if wide == 0 {
        return true;
    }
    let body = track.body.id;
    // The share of clean frames is rounded before it is taken from one, as in pyskl.
    let share = 1.0 - (poses.len() - wide) as f64 / poses.len() as f64;
    if share >= rules.noisy_share {
        let frames = poses.len();
        log.push(Decision::Noisy { body, frames, wide });
        return false;
    }
    if rules.clean_motion && wide < poses.len() {
        let before = track.motion;
        track.motion = before.min(motion(poses.iter().filter(clean)));
        log.push(Decision::MotionOverCleanFrames {
            body,
            wide,
            before,
            after: track.motion,
        });
    }
    true
}

/// Rule 4: each body goes to the first slot where nobody is at its time, or nowhere.
fn in_slots(tracks: &[Track<'_>], rules: &Rules, log: &mut Vec<Decision>) -> Result<Single, Skip> {
    let frames = tracks.iter().map(Track::end).max().unwrap_or(0);
    let seen = tracks.iter().map(Track::frames).sum();
    let mut people = Single::empty(rules.persons.min(tracks.len()), frames, seen)?;
    let mut spans = vec![None::<(usize, usize)>; people.persons];
    for track in tracks {
        let (start, end) = (track.start(), track.end());
        let free = |span: &Option<(usize, usize)>| match *span {
            None => true,
            Some(taken) => rules.share_slots && start.max(taken.0) >= end.min(taken.1),
        };
        let Some(slot) = spans.iter().position(free) else {
            log.push(Decision::NoSlot {
                body: track.body.id,
                start,
                end,
            });
            continue;
        };
        // The first slot is the first body's own span; the others begin as [0, 0), so that theirs reach back to 0.
        let before = spans[slot].unwrap_or(if slot == 0 { (start, end) } else { (0, 0) });
        spans[slot] = Some((before.0.min(start), before.1.max(end)));
        log.push(track.placed(slot));
        people.put(slot, track, 0);
    }
    Ok(people)
}

// Measures of bodies, rounded as numpy rounds them: choices that hang on a comparison come out the same.

/// The variance of x, y and z over all joints of these poses, summed over the three, in square metres.
///
/// numpy's `var(axis=0)` of a single-precision array of rows takes two passes, each adding row by row in single precision.
fn motion<'a>(poses: impl Iterator<Item = &'a Pose> + Clone) -> f32 {
    let joints = || poses.clone().flatten();
    let rows = joints().count() as f32;
    let mut mean = [0f32; 3];
    for joint in joints() {
        for (sum, x) in mean.iter_mut().zip(joint) {
            *sum += x;
        }
    }
    let mean = mean.map(|sum| sum / rows);
    let mut squares = [0f32; 3];
    for joint in joints() {
        for ((sum, x), mean) in squares.iter_mut().zip(joint).zip(mean) {
            let deviation = x - mean;
            *sum += deviation * deviation;
        }
    }
    let [x, y, z] = squares.map(|sum| sum / rows);
    x + y + z
}

/// Whether a body is at most `max_width` times as wide as it is high: ranges in single precision, the rest in double.
fn is_clean(pose: &Pose, max_width: f64) -> bool {
    let range = |c: usize| {
        let coordinates = pose.iter().map(|joint| joint[c]);
        let highest = coordinates.clone().fold(f32::NEG_INFINITY, f32::max);
        highest - coordinates.fold(f32::INFINITY, f32::min)
    };
    f64::from(range(0)) <= max_width * f64::from(range(1))
}

/// The sum of the absolute values, added in numpy's order: up to 128 numbers through eight sums, more by halves.
pub(super) fn sum_of_sizes(values: &[f32]) -> f32 {
    const SUMS: usize = 8;
    const BLOCK: usize = 128;
    if values.len() < SUMS {
        return values.iter().fold(0.0, |sum, x| sum + x.abs());
    }
    if values.len() > BLOCK {
        let half = values.len() / 2;
        let (first, second) = values.split_at(half - half % SUMS);
        return sum_of_sizes(first) + sum_of_sizes(second);
    }
    let (blocks, rest) = values.as_chunks::<SUMS>();
    let mut s = [0f32; SUMS];
    for block in blocks {
        for (sum, x) in s.iter_mut().zip(block) {
            *sum += x.abs();
        }
    }
    let sum = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
    rest.iter().fold(sum, |sum, x| sum + x.abs())
}
