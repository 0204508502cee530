//! What changes from frame to frame: where joints vanish, and where they jump.

use super::scene::Person;

/// Frame by frame.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    /// Missing joints of the people who are there in the frame; where nobody is, all joints of everybody.
    pub missing: Vec<u32>,
    /// How far the fastest joint went since the frame before, in sizes of its person; 0 where none was seen twice.
    pub steps: Vec<f32>,
    /// That joint.
    pub fastest: Vec<usize>,
}

/// The trace of some people over `frames` frames of `v` joints.
pub(super) fn trace(people: &[Person], frames: usize, v: usize) -> Trace {
    let mut trace = Trace {
        missing: vec![0; frames],
        steps: vec![0.0; frames],
        fastest: vec![0; frames],
    };
    for person in people {
        let rows: Vec<&[Option<[f32; 3]>]> = person.places.chunks_exact(v).collect();
        let size = size(&rows);
        for (frame, row) in rows.iter().enumerate() {
            let missing = row.iter().filter(|place| place.is_none()).count();
            if missing < v {
                trace.missing[frame] += missing as u32;
            }
            let Some(before) = frame.checked_sub(1).map(|before| rows[before]) else {
                continue;
            };
            for (joint, places) in before.iter().zip(*row).enumerate() {
                let (Some(from), Some(to)) = places else {
                    continue;
                };
                let step = distance(from, to) / size;
                if step > trace.steps[frame] {
                    (trace.steps[frame], trace.fastest[frame]) = (step, joint);
                }
            }
        }
    }
    for frame in 0..frames {
        let seen = |person: &Person| {
            person.places[frame * v..(frame + 1) * v]
                .iter()
                .any(Option::is_some)
        };
        if !people.iter().any(seen) {
            trace.missing[frame] = (people.len() * v) as u32;
        }
    }
    trace
}

/// Mean diagonal of the box around the person.
fn size(rows: &[&[Option<[f32; 3]>]]) -> f32 {
    let (mut sum, mut n) = (0.0f64, 0.0f64);
    for row in rows {
        let (mut low, mut high) = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
        for place in row.iter().flatten() {
            for c in 0..3 {
                low[c] = low[c].min(place[c]);
                high[c] = high[c].max(place[c]);
            }
        }
        if low[0] <= high[0] {
            sum += f64::from(distance(&low, &high));
            n += 1.0;
        }
    }
    let mean = (sum / n.max(1.0)) as f32;
    if mean > 0.0 { mean } else { 1.0 }
}

fn distance(a: &[f32; 3], b: &[f32; 3]) -> f32 {
    (0..3)
        .map(|c| (a[c] - b[c]) * (a[c] - b[c]))
        .sum::<f32>()
        .sqrt()
}
