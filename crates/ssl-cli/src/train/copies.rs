//! The copies of a training in all its ranks, made equal to rank 0's, which alone reads the run folder.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use skeleton_kernels::host;
use skeletonmae::Store;
use skeletonmae::train::ranks::{Reader, Writer};
use skeletonmae::train::{Optimizer, Progress};

use super::Place;
use crate::checkpoint::Best;
use crate::failure::Outcome;
use crate::ranks::world;

type Tensors = BTreeMap<String, Tensor>;

/// Gives all ranks rank 0's numbers and place.
pub fn agree(store: &Store, optimizer: &mut Optimizer, at: Place) -> Outcome<Place> {
    let (updates, moments) = optimizer.state()?;
    let tensors = store.tensors();
    let message = world().of_root(|| {
        let mut message = Writer::default();
        let progress = at.progress;
        for number in [
            at.done,
            progress.steps,
            progress.micro_batches,
            progress.clips,
            progress.skipped,
            at.best.map_or(0, |best| best.epoch),
            updates as usize,
        ] {
            message.number(number);
        }
        let score = at.best.map_or(0.0, |best| best.score);
        message.reals(&[
            progress.loss,
            progress.weight,
            progress.gradient_norm,
            score,
        ]);
        write(&mut message, &tensors)?;
        write(&mut message, &moments)?;
        Ok(message.done())
    })?;
    let mut message = Reader::of(&message);
    let mut number = || message.number();
    let (done, steps, micro_batches) = (number()?, number()?, number()?);
    let (clips, skipped, best_epoch, updates) = (number()?, number()?, number()?, number()?);
    let sums = message.reals()?;
    let &[loss, weight, gradient_norm, score] = &sums[..] else {
        return Err(skeletonmae::Error::Exchange("expected four sums".into()).into());
    };
    store.load(&read(&mut message, &tensors)?)?;
    optimizer.restore(updates as u64, &read(&mut message, &moments)?)?;
    Ok(Place {
        done,
        progress: Progress {
            steps,
            micro_batches,
            clips,
            skipped,
            loss,
            weight,
            gradient_norm,
        },
        best: (best_epoch > 0).then_some(Best {
            epoch: best_epoch,
            score,
        }),
    })
}

/// Gives all ranks the numbers that rank 0 has in `store` now.
pub fn numbers(store: &Store) -> Outcome {
    let tensors = store.tensors();
    let message = world().of_root(|| {
        let mut message = Writer::default();
        write(&mut message, &tensors)?;
        Ok(message.done())
    })?;
    Ok(store.load(&read(&mut Reader::of(&message), &tensors)?)?)
}

fn write(message: &mut Writer, tensors: &Tensors) -> Outcome {
    for tensor in tensors.values() {
        message.reals(&host::read::<f64>(tensor)?);
    }
    Ok(())
}

/// Tensors of the names and shapes of `like`.
fn read(message: &mut Reader<'_>, like: &Tensors) -> Outcome<Tensors> {
    let each = like.iter().map(|(name, like)| {
        let numbers = message.reals()?;
        if numbers.len() != like.elem_count() {
            let (found, expected) = (numbers.len(), like.elem_count());
            let message = format!("{name}: expected {expected} numbers, found {found}");
            return Err(skeletonmae::Error::Exchange(message).into());
        }
        let tensor = Tensor::from_vec(numbers, like.shape(), &Device::Cpu)?;
        Ok((name.clone(), tensor))
    });
    each.collect()
}
