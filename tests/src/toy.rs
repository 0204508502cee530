//! Tiny pose sets that train in a second: each class swings its own joint.

use crate::pickle::{Py, dump, text};
use crate::program::Desk;

/// What a tiny set looks like.
#[derive(Clone, Copy, Debug)]
pub struct Toy {
    /// v
    pub joints: usize,
    /// c
    pub coordinates: usize,
    /// k
    pub classes: usize,
    /// Clips of each class in the training split; half as many are in the test split.
    pub clips: usize,
    /// t
    pub frames: usize,
}

/// The usual one: COCO-17 in pixels.
pub const TOY: Toy = Toy {
    joints: 17,
    coordinates: 2,
    classes: 3,
    clips: 6,
    frames: 20,
};

impl Toy {
    /// The annotations as a pyskl file has them, with splits `train` and `test`.
    pub fn annotations(&self) -> Py {
        let (mut train, mut test, mut clips) = (Vec::new(), Vec::new(), Vec::new());
        for label in 0..self.classes {
            for take in 0..self.clips + self.clips / 2 {
                let id = format!("k{label}t{take:02}");
                if take < self.clips {
                    &mut train
                } else {
                    &mut test
                }
                .push(text(&id));
                clips.push(self.clip(&id, label, take));
            }
        }
        let split = Py::Dict(vec![("train", Py::List(train)), ("test", Py::List(test))]);
        Py::Dict(vec![("split", split), ("annotations", Py::List(clips))])
    }

    fn clip(&self, id: &str, label: usize, take: usize) -> Py {
        let int = |n: usize| Py::Int(i32::try_from(n).expect("test sizes are small"));
        let values = (0..self.frames * self.joints * self.coordinates)
            .map(|at| {
                let (frame, joint, axis) = (
                    at / self.coordinates / self.joints,
                    at / self.coordinates % self.joints,
                    at % self.coordinates,
                );
                let pose =
                    400.0 + 20.0 * joint as f32 + 11.0 * ((joint * 7 + axis * 5) % 13) as f32;
                // The class moves one joint; takes differ in phase, which is all that tells them apart.
                let swing = if joint == (5 + 2 * label) % self.joints {
                    60.0
                } else {
                    2.0
                };
                pose + swing * (0.6 * frame as f32 + 0.9 * take as f32 + axis as f32).sin()
            })
            .collect();
        let shape = vec![1, self.frames, self.joints, self.coordinates];
        let mut fields = vec![
            ("frame_dir", text(id)),
            ("label", int(label)),
            ("total_frames", int(self.frames)),
            ("keypoint", Py::Array { shape, values }),
        ];
        if self.coordinates == 2 {
            fields.push(("img_shape", Py::Tuple(vec![Py::Int(1080), Py::Int(1920)])));
        }
        Py::Dict(fields)
    }

    /// The pickle's bytes.
    pub fn pickle(&self) -> Vec<u8> {
        dump(&self.annotations())
    }

    /// Prepares `NAME.h5` from `NAME.pkl` in the folder.
    ///
    /// # Panics
    /// If the program refuses it.
    #[track_caller]
    pub fn prepare(&self, desk: &Desk, name: &str, layout: &str) {
        desk.write(&format!("{name}.pkl"), self.pickle());
        let units = if self.coordinates == 2 {
            "pixel"
        } else {
            "metre"
        };
        desk.ssl(&format!(
            "prepare {name}.pkl -o {name}.h5 --layout {layout} --units {units}"
        ))
        .success();
    }
}

/// Settings that make a pre-training on such a set short.
pub const PRETRAIN: &str = "--set reading.frames=16 --set pretrain.epochs=2";
/// Settings that make a fine-tuning on such a set short.
pub const FINETUNE: &str = "--set reading.frames=16 --set finetune.epochs=2";
