//! Figure 6: clips of which joints are hidden, and what a pre-trained model puts in their place.

use skeleton_data::draw::{Motion, Scene, Skeleton};
use skeletonmae::reconstruct::Picture;

use crate::commands::reconstruct::{camera, drawn_mask, named, read as batch_of, sequence};
use crate::data::Data;
use crate::failure::Outcome;
use crate::feed::Feeds;
use crate::models::Opened;
use crate::page::NUMBERS;
use crate::page::facts::{Reconstructed, ReconstructedClip};
use crate::report::{ReconstructionReport, count};

/// Clips shown.
pub const SHOWN: usize = 6;

/// Hides joints of some clips by the mask that the model was trained by, and puts them back.
pub fn read(
    encoder: &Opened,
    parts: Option<ReconstructionReport>,
    feeds: &Feeds<'_>,
    data: &Data,
    clips: &[u32],
) -> Outcome<Reconstructed> {
    let (_store, model) = encoder.autoencoder(&feeds.machine)?;
    let layout = data.layout();
    // A model whose decoder draws, but of another skeleton, has parts of its own to hide.
    let meta = &encoder.checkpoint.meta;
    let mut shown = Vec::new();
    for &clip in clips {
        let sample = data.sample(clip as usize);
        let hidden = drawn_mask(encoder, sample.id)?;
        let batch = batch_of(&feeds.of(vec![clip], None)?)?;
        let picture = Picture::new(&model, layout, &batch, &hidden)?;
        let truth: Vec<f32> = batch.keypoints.flatten_all()?.to_vec1()?;
        let seen = sequence(&batch, sample.id, &truth, |_| true)?;
        let made = sequence(&batch, sample.id, &picture.coordinates, |_| true)?;
        let camera = camera((data, clip as usize), &feeds.reading, &seen, None)?;
        let scene = Scene::new(&seen.view(), layout, &camera)?;
        let beside = scene.beside(&made.view(), layout, &camera)?;
        let motion = |scene: &Scene| -> Motion { scene.motion(NUMBERS) };
        let class = sample
            .label
            .and_then(|label| data.classes().get(label as usize));
        shown.push(ReconstructedClip {
            id: sample.id.to_owned(),
            class: class.cloned(),
            words: named(layout, &hidden),
            hidden: (0..hidden.len()).filter(|&joint| hidden[joint]).collect(),
            truth: motion(&scene),
            made: motion(&beside),
            errors: picture.error.means(),
        });
    }
    Ok(Reconstructed {
        model: format!(
            "{}, pre-trained on {} for {}",
            encoder.origin.path.display(),
            meta.data.dataset,
            count(meta.epoch, "epoch")
        ),
        parts,
        skeleton: Skeleton::of(layout),
        clips: shown,
    })
}
