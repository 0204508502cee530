//! What of a skeleton a model sees: joints or bones, where they are or how they move.
//!
//! A stream is taken of joints that have been normalised, augmented and given their noise: it is the last step of a
//! read. Normalisation and augmentation are affine, so taking it first would give the same numbers but for the noise,
//! which belongs to the joints that a pose estimator saw.
//!
//! - The **bone** of a joint is the way to it from its parent by the layout's edges: `joint - parent`. It is present
//!   where both are. The root has no parent: its bone is 0 and absent, so that it is no reconstruction target.
//! - The **motion** of a joint (or bone) is the way to where it is one kept frame of the source later, whatever the time
//!   between two samples: `x(time + 1) - x(time)`. It is present where both are. After the last frame but one
//!   nothing is known: it is 0 and absent there, and all of a clip of one frame is.
//!
//! pyskl's `JointToBone` and `ToMotion` say the same, on scores as their mean, on the last frame as 0. Its bone pairs are
//! typed a second time and contradict its own graphs (NTU's tips and thumbs, COCO's and OpenPose's hips); the layout's
//! edges are used here.

use serde::{Deserialize, Serialize};
use skeleton_graph::Layout;

/// What of a skeleton a model sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Where the joints are.
    #[default]
    Joint,
    /// From each joint's parent to the joint.
    Bone,
    /// From where each joint is to where it is a frame later.
    JointMotion,
    /// How each bone changes within a frame.
    BoneMotion,
}

impl Stream {
    /// Its name in settings and checkpoints.
    pub fn name(self) -> &'static str {
        match self {
            Stream::Joint => "joint",
            Stream::Bone => "bone",
            Stream::JointMotion => "joint-motion",
            Stream::BoneMotion => "bone-motion",
        }
    }

    pub(crate) fn is_of_bones(self) -> bool {
        matches!(self, Stream::Bone | Stream::BoneMotion)
    }

    pub(crate) fn is_of_motion(self) -> bool {
        matches!(self, Stream::JointMotion | Stream::BoneMotion)
    }
}

/// The parent of each joint; the root is its own.
pub(crate) fn parents(layout: &Layout) -> Vec<usize> {
    (0..layout.len())
        .map(|joint| layout.parent(joint).unwrap_or(joint))
        .collect()
}

/// Joints, (rows, v, c) with presence (rows, v), become bones; `row` is working memory.
pub(crate) fn to_bones<const C: usize>(
    keypoints: &mut [f32],
    presence: &mut [f32],
    parents: &[usize],
    row: &mut Vec<f32>,
) {
    let v = parents.len();
    for (frame, there) in keypoints
        .chunks_exact_mut(v * C)
        .zip(presence.chunks_exact_mut(v))
    {
        row.clear();
        row.extend_from_slice(frame);
        row.extend_from_slice(there);
        let (old, was_there) = row.split_at(v * C);
        let old = old.as_chunks::<C>().0;
        let joints = frame.as_chunks_mut::<C>().0.iter_mut().zip(there);
        for (joint, ((bone, there), &parent)) in joints.zip(parents).enumerate() {
            // The root, its own parent, is neither moved from itself nor there.
            let both = was_there[joint] * was_there[parent] * f32::from(u8::from(parent != joint));
            *bone = std::array::from_fn(|c| (old[joint][c] - old[parent][c]) * both);
            *there = both;
        }
    }
}

/// Places, (rows, v, c) with presence (rows, v), become the ways to the `later` places.
pub(crate) fn to_motion<const C: usize>(
    keypoints: &mut [f32],
    presence: &mut [f32],
    later: &[f32],
    later_presence: &[f32],
) {
    let joints = keypoints.as_chunks_mut::<C>().0.iter_mut();
    let later = later.as_chunks::<C>().0.iter().zip(later_presence);
    for ((joint, there), (later, &later_there)) in joints.zip(presence).zip(later) {
        *there *= later_there;
        *joint = std::array::from_fn(|c| (later[c] - joint[c]) * *there);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Joint 1 hangs on 0 and 2 on 1: names, numbers and all.
    const CHAIN: [usize; 3] = [0, 0, 1];

    #[test]
    fn a_bone_leads_from_the_parent_to_the_joint() {
        let mut keypoints = [1.0, 1.0, 4.0, 5.0, 6.0, 2.0];
        let mut presence = [1.0; 3];
        to_bones::<2>(&mut keypoints, &mut presence, &CHAIN, &mut Vec::new());
        assert_eq!(keypoints, [0.0, 0.0, 3.0, 4.0, 2.0, -3.0]);
        assert_eq!(presence, [0.0, 1.0, 1.0]);
    }

    #[test]
    fn a_bone_is_there_where_both_its_ends_are() {
        let mut keypoints = [1.0, 1.0, 0.0, 0.0, 6.0, 2.0, 1.0, 1.0, 4.0, 5.0, 0.0, 0.0];
        let mut presence = [1.0, 0.0, 1.0, 1.0, 1.0, 0.0];
        to_bones::<2>(&mut keypoints, &mut presence, &CHAIN, &mut Vec::new());
        assert_eq!(presence, [0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        assert_eq!(
            keypoints,
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 4.0, 0.0, 0.0]
        );
    }

    #[test]
    fn a_motion_is_there_where_both_its_frames_are() {
        let mut keypoints = [1.0, 2.0, 0.0, 0.0, 3.0, 3.0];
        let mut presence = [1.0, 0.0, 1.0];
        let later = [4.0, 1.0, 5.0, 5.0, 0.0, 0.0];
        to_motion::<2>(&mut keypoints, &mut presence, &later, &[1.0, 1.0, 0.0]);
        assert_eq!(keypoints, [3.0, -1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(presence, [1.0, 0.0, 0.0]);
    }

    #[test]
    fn parents_are_the_layouts() {
        let layout = Layout::built_in("ntu25").unwrap();
        let parents = parents(&layout);
        assert_eq!(
            (parents[20], parents[21], parents[22], parents[0]),
            (20, 7, 7, 1)
        );
    }

    #[test]
    fn names_are_those_of_the_settings() {
        for stream in [
            Stream::Joint,
            Stream::Bone,
            Stream::JointMotion,
            Stream::BoneMotion,
        ] {
            let named = serde_json::Value::from(stream.name());
            assert_eq!(serde_json::from_value::<Stream>(named).unwrap(), stream);
        }
        assert_eq!(Stream::default(), Stream::Joint);
    }
}
