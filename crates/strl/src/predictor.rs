//! From keypoints to class probabilities: a checkpoint with everything it takes to use it.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::ops::softmax_last_dim;
use skeleton_data::reading::{Reading, read_view};
use skeleton_data::{ClipView, ValuesRef};
use skeleton_graph::Layout;
use skeleton_kernels::host;
use skeletonmae::TrackBatch;

use crate::checkpoint::{Checkpoint, Error, Kind, Meta, Model, Result};
use crate::{Frozen, Scores, Strl};

/// A classifier that reads clips as it was trained. It is `Send` and `Sync`: threads may share one, each call is its own.
///
/// On the CPU a call on 64 frames of two people takes about 3 ms with the shape of the preset `default` (docs/streams.md has the
/// numbers and the command); `cargo run --release -p strl --features checkpoint --example predict RUN` measures it for a model.
#[derive(Clone, Debug)]
pub struct Predictor {
    model: Frozen,
    meta: Meta,
    layout: Layout,
    device: Device,
}

impl Predictor {
    /// Opens the checkpoint of a run of `ssl finetune`, or a file, for the CPU.
    ///
    /// # Errors
    /// A file that isn't there, is damaged, or is no classifier's.
    pub fn open(run_or_file: impl AsRef<Path>) -> Result<Predictor> {
        let (checkpoint, origin) = Checkpoint::read(run_or_file.as_ref())?;
        checkpoint.expect(Kind::Finetune, &origin)?;
        let shape = Model::of(&checkpoint.meta, &origin.path)?;
        let layout = checkpoint
            .meta
            .skeleton(&origin.path.display().to_string())?;
        checkpoint.meta.reading.check()?;
        let device = Device::Cpu;
        let model = checkpoint.classifier(&shape, &layout, &device, DType::F32)?;
        Predictor::new(&model, checkpoint.meta, layout, &device)
    }

    /// Of a model that is open already, as it is now.
    ///
    /// # Errors
    /// When a parameter can't be read.
    pub fn new(model: &Strl, meta: Meta, layout: Layout, device: &Device) -> Result<Predictor> {
        Ok(Predictor {
            model: model.frozen()?,
            meta,
            layout,
            device: device.clone(),
        })
    }

    /// What the checkpoint says of the model: classes, units, coordinates, how clips are read.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The joints, in the order of the keypoints.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// How clips are read.
    pub fn reading(&self) -> &Reading {
        &self.meta.reading
    }

    /// A clip of keypoints (people, frames, joints, coordinates) in the layout and the units of the training; a joint that was
    /// not seen, and all of a person who isn't there, is 0. `scores` (people, frames, joints) are the pose estimator's.
    ///
    /// # Errors
    /// When the numbers are not those of so many people.
    pub fn clip<'a>(
        &self,
        people: usize,
        keypoints: &'a [f32],
        scores: Option<&'a [f32]>,
    ) -> Result<ClipView<'a>> {
        let (joints, coordinates) = (self.layout.len(), self.meta.coordinates);
        let frame = people * joints * coordinates;
        let view = ClipView {
            id: "clip",
            label: None,
            persons: people,
            frames: keypoints.len().checked_div(frame).unwrap_or(0),
            joints,
            coordinates,
            keypoints: ValuesRef::F32(keypoints),
            scores: scores.map(ValuesRef::F32),
            image: None,
        };
        view.check(joints)?;
        Ok(view)
    }

    /// The probability of each class, (k), in the order of `meta().classes`; none of a clip that shows nobody.
    ///
    /// # Errors
    /// A clip of other joints or coordinates than the model's, or one that can't be normalised.
    pub fn predict(&self, clip: &ClipView<'_>) -> Result<Option<Vec<f64>>> {
        let (reading, coordinates) = (&self.meta.reading, self.meta.coordinates);
        clip.check(self.layout.len())?;
        if clip.coordinates != coordinates {
            return Err(Error::Data(skeleton_data::Error::Clip {
                id: clip.id.to_owned(),
                expected: format!("{coordinates} coordinates, as the model reads"),
                found: clip.coordinates.to_string(),
            }));
        }
        if !reading.shows_somebody(clip) {
            return Ok(None);
        }
        let batch = self.batch(clip)?;
        let p = softmax_last_dim(&self.model.forward(&batch)?)?;
        let (numbers, k) = (host::read::<f64>(&p)?, p.dim(1)?);
        let scores = Scores {
            ids: batch.ids,
            labels: batch.labels,
            probabilities: numbers.chunks_exact(k).map(<[f64]>::to_vec).collect(),
        };
        Ok(scores.averaged(reading.clips).probabilities.pop())
    }

    /// All views of a clip, each as a clip of its own.
    fn batch(&self, clip: &ClipView<'_>) -> Result<TrackBatch> {
        let reading = &self.meta.reading;
        let (mut keypoints, mut presence, mut of_view) = (Vec::new(), Vec::new(), Vec::new());
        for view in 0..reading.clips {
            let read = read_view(clip, &self.layout, reading, view)?;
            keypoints.extend(read.keypoints);
            presence.extend(read.presence.iter().map(|&there| there > 0.0));
            of_view.extend(std::iter::repeat_n(view as u32, read.tracks));
        }
        let shape = (of_view.len(), reading.frames, clip.joints, clip.coordinates);
        let keypoints = Tensor::from_vec(keypoints, shape, &self.device)?;
        let ids = vec![clip.id.to_owned(); reading.clips];
        let labels = vec![-1; reading.clips];
        Ok(TrackBatch::new(keypoints, presence, of_view, ids, labels)?)
    }
}

#[cfg(test)]
mod tests {
    use skeleton_data::Units;
    use skeleton_data::stream::Stream;
    use skeletonmae::{MaeConfig, Store};

    use super::*;
    use crate::checkpoint::{FILE, Fingerprint, VERSION};
    use crate::{StrlConfig, Task};

    const CONFIG: &str = "[model]\nwidth = 16\nencoder_layers = 1\nbackbone = \"gin\"\nremask = false\n\
        [model.strl]\nlayers = 2\nkernel = 3\ndilations = [1, 2]\npool = \"mean\"\n\
        adjacency = \"row\"\ndropout = 0.1\nhead = []\n";

    fn checkpoint(reading: Reading) -> Checkpoint {
        let layout = Layout::built_in("coco17").unwrap();
        let mae = MaeConfig {
            width: 16,
            encoder_layers: 1,
            ..MaeConfig::default()
        };
        let strl = StrlConfig {
            layers: 2,
            kernel: 3,
            ..StrlConfig::default()
        };
        let task = Task {
            layout: &layout,
            coordinates: 2,
            frames: reading.frames,
            classes: 3,
        };
        let store = Store::new(1, DType::F32, &Device::Cpu);
        Strl::new(&mae, &strl, task, store.builder()).unwrap();
        let meta = Meta {
            version: VERSION,
            kind: Kind::Finetune,
            layout: layout.to_toml(),
            units: Units::Pixel,
            stream: Stream::Joint,
            frames: reading.frames,
            reading,
            coordinates: 2,
            classes: ["wave", "clap", "kick"].map(str::to_owned).into(),
            config: CONFIG.to_owned(),
            data: Fingerprint {
                dataset: "drawn".into(),
                digest: "00".into(),
            },
            also: Vec::new(),
            epoch: 0,
            encoder: None,
            imported: None,
        };
        let tensors = store.tensors();
        Checkpoint { meta, tensors }
    }

    fn opened(checkpoint: &Checkpoint) -> Result<Predictor> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), checkpoint.to_bytes()?).unwrap();
        Predictor::open(folder.path())
    }

    fn keypoints(people: usize, frames: usize) -> Vec<f32> {
        (0..people * frames * 17 * 2)
            .map(|i| 100.0 + (i * 37 % 101) as f32)
            .collect()
    }

    #[test]
    fn threads_share_one() {
        fn is_shared<T: Send + Sync>(_: &T) {}
        let predictor = opened(&checkpoint(Reading::default())).unwrap();
        is_shared(&predictor);
        let numbers = keypoints(2, 30);
        let ask = || {
            let clip = predictor.clip(2, &numbers, None).unwrap();
            predictor.predict(&clip).unwrap().unwrap()
        };
        let here = ask();
        let there = std::thread::scope(|scope| scope.spawn(ask).join().unwrap());
        assert_eq!(here, there);
        assert_eq!(here.len(), 3);
        assert!((here.iter().sum::<f64>() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn views_are_averaged() {
        let reading = |clips| Reading {
            sampling: skeleton_data::sample::Sampling::Uniform,
            frames: 16,
            clips,
            ..Reading::default()
        };
        let numbers = keypoints(1, 90);
        let ask = |clips| {
            let predictor = opened(&checkpoint(reading(clips))).unwrap();
            let clip = predictor.clip(1, &numbers, None).unwrap();
            predictor.predict(&clip).unwrap().unwrap()
        };
        let (one, ten) = (ask(1), ask(10));
        assert_ne!(one, ten);
        assert!((ten.iter().sum::<f64>() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn nobody_has_no_class_and_other_clips_are_refused() {
        let predictor = opened(&checkpoint(Reading::default())).unwrap();
        let zeros = vec![0.0; 5 * 17 * 2];
        let clip = predictor.clip(1, &zeros, None).unwrap();
        assert_eq!(predictor.predict(&clip).unwrap(), None);
        assert!(predictor.clip(1, &zeros[1..], None).is_err());
        assert!(predictor.clip(1, &zeros, Some(&zeros[..3])).is_err());
        let deep = ClipView {
            coordinates: 3,
            frames: 1,
            keypoints: ValuesRef::F32(&zeros[..17 * 3]),
            ..clip
        };
        let refused = predictor.predict(&deep).unwrap_err().to_string();
        assert!(refused.contains("expected 2 coordinates"), "{refused}");
    }

    #[test]
    fn a_model_that_cannot_be_is_refused_by_its_setting() {
        let mut damaged = checkpoint(Reading::default());
        damaged.meta.config = CONFIG.replace("[1, 2]", "[1, 1000000000]");
        let refused = opened(&damaged).unwrap_err().to_string();
        assert!(refused.contains("model.strl.dilations"), "{refused}");
        damaged.meta.config = CONFIG.replace("width = 16", "width = 32");
        assert!(
            opened(&damaged)
                .unwrap_err()
                .to_string()
                .contains("parameter")
        );
        damaged.meta.config = String::new();
        let refused = opened(&damaged).unwrap_err().to_string();
        assert!(refused.contains("no section [model]"), "{refused}");
        damaged.meta.kind = Kind::Pretrain;
        let refused = opened(&damaged).unwrap_err().to_string();
        assert!(refused.contains("`ssl finetune`"), "{refused}");
    }
}
