//! A clip's movement in few bytes, for pages that play many clips.

use serde::Serialize;
use skeleton_graph::Layout;

use super::plain;
use super::scene::Scene;
use super::svg::paints;

/// Steps of the scene's unit in a motion's whole numbers: all of a scene, which ends at 8, is within 16 bits.
const STEPS: f32 = 4_000.0;
/// What stands for a missing joint.
const MISSING: i16 = i16::MIN;
/// Frames kept at most: of longer clips, evenly spaced ones.
const MOST_FRAMES: usize = 60;

/// What the clips of a set have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skeleton {
    /// v names.
    pub joints: Vec<String>,
    /// (child, parent).
    pub bones: Vec<(usize, usize)>,
    /// The palette's name of each joint's colour.
    pub paints: Vec<&'static str>,
}

impl Skeleton {
    /// The skeleton of a layout.
    pub fn of(layout: &Layout) -> Skeleton {
        Skeleton {
            joints: layout.joints().iter().map(|name| plain(name)).collect(),
            bones: layout.edges().to_vec(),
            paints: paints(layout).iter().map(|paint| paint.class()).collect(),
        }
    }
}

/// Where joints are, from frame to frame, as the viewer of a [`Scene`] sees them: to the right and upwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Motion {
    /// Frames of the clip.
    pub frames: usize,
    /// Frames kept, evenly spaced.
    pub kept: usize,
    /// The numbers of the people, in the source, from 1.
    pub people: Vec<usize>,
    /// (people, kept, v, 2): 16-bit whole numbers, little-endian, as base64; 4,000 are the scene's unit, and -32,768 stands for
    /// a missing joint.
    pub places: String,
}

impl Scene {
    /// The movement, of at most `numbers` coordinates: as many frames are left out as that takes, though one is always there.
    pub fn motion(&self, numbers: usize) -> Motion {
        let v = self.joints.len();
        let of_frame = (2 * v * self.people.len()).max(1);
        let kept = self.spaced(MOST_FRAMES.min(numbers / of_frame).max(1));
        let mut bytes = Vec::with_capacity(2 * of_frame * kept.len());
        for person in &self.people {
            for place in kept
                .iter()
                .flat_map(|frame| &person.places[frame * v..(frame + 1) * v])
            {
                let both = place.map_or([MISSING; 2], |place| {
                    [place[0], place[1]].map(|x| (x * STEPS).round() as i16)
                });
                bytes.extend(both.iter().flat_map(|number| number.to_le_bytes()));
            }
        }
        Motion {
            frames: self.frames,
            kept: kept.len(),
            people: self.people.iter().map(|person| person.number).collect(),
            places: base64(&bytes),
        }
    }
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= three.len() {
                digit as char
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::{Axis, Camera};
    use crate::{Sequence, Units, Values};

    /// RFC 4648, section 10.
    #[test]
    fn base64_is_the_rfcs() {
        let of =
            ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(
            of,
            [
                "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"
            ]
        );
    }

    /// The way back, by the definition.
    fn places(motion: &Motion) -> Vec<i16> {
        let value = |c: char| match c {
            'A'..='Z' => c as u32 - 65,
            'a'..='z' => c as u32 - 71,
            '0'..='9' => c as u32 + 4,
            '+' => 62,
            _ => 63,
        };
        let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
        for digit in motion.places.trim_end_matches('=').chars() {
            (bits, held) = (bits << 6 | value(digit), held + 6);
            if held >= 8 {
                held -= 8;
                bytes.push((bits >> held & 255) as u8);
            }
        }
        let pairs = bytes.chunks_exact(2);
        pairs
            .map(|two| i16::from_le_bytes([two[0], two[1]]))
            .collect()
    }

    fn scene(frames: usize) -> Scene {
        let layout = Layout::built_in("coco17").unwrap();
        let mut values: Vec<f32> = (0..frames * 17 * 2)
            .map(|at| 100.0 + (at * 37 % 101) as f32)
            .collect();
        // The nose of the first frame is missing.
        values[..2].fill(0.0);
        let clip = Sequence::new("a", [1, frames, 17, 2], Values::F32(values));
        let camera = Camera::new(Axis::usual(Units::Pixel, &clip.view(), &layout), 2).unwrap();
        Scene::new(&clip.view(), &layout, &camera).unwrap()
    }

    #[test]
    fn a_motion_gives_the_scenes_places_back() {
        let scene = scene(7);
        let motion = scene.motion(1 << 20);
        assert_eq!(
            (motion.frames, motion.kept, &motion.people[..]),
            (7, 7, &[1][..])
        );
        let found = places(&motion);
        assert_eq!(found.len(), 7 * 17 * 2);
        assert_eq!(found[..2], [MISSING; 2]);
        let known = &scene.people[0].places;
        for (two, place) in found.chunks_exact(2).zip(known).skip(1) {
            let place = place.expect("all others are there");
            for c in 0..2 {
                assert!((f32::from(two[c]) / STEPS - place[c]).abs() <= 0.5 / STEPS + 1e-6);
            }
        }
    }

    #[test]
    fn long_clips_keep_evenly_spaced_frames_within_the_numbers() {
        let long = scene(300);
        assert_eq!(long.motion(1 << 20).kept, MOST_FRAMES);
        let few = long.motion(10 * 34);
        assert_eq!((few.kept, places(&few).len()), (10, 10 * 34));
        assert_eq!(long.motion(0).kept, 1);
    }
}
