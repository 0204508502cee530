//! Everything a training needs to go on as if it had never been interrupted, in one file.
//!
//! Randomness is a function of seed, epoch and clip, so that no generator has to be saved. Numbers in
//! double precision are tensors: JSON doesn't promise to give every one of them back.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};
use skeletonmae::Store;
use skeletonmae::train::{Optimizer, Progress};
use strl::checkpoint::sealed;

use super::file::write_whole;
use super::{Meta, VERSION};
use crate::failure::{Failure, Outcome};

/// The tensor of sums: the epoch's losses and weights so far, the best score, the gradients' norms so far.
const SUMS: &str = "sums";
/// What the names of the model's tensors begin with; the moments' begin with `first.` and `second.`.
const MODEL: &str = "model.";

/// The epoch that was best on held-out clips.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// Epochs done then.
    pub epoch: usize,
    /// Its score, higher is better.
    pub score: f64,
}

/// A training between two of its steps.
#[derive(Clone, Debug)]
pub struct State {
    /// What the model is; `epoch` counts the whole epochs done.
    pub meta: Meta,
    /// How far the next epoch is.
    pub progress: Progress,
    /// The lines of metrics.jsonl so far.
    pub metrics: String,
    /// The best epoch so far, where there are held-out clips.
    pub best: Option<Best>,
    /// Updates the optimizer has made.
    pub updates: u64,
    /// Parameters and running statistics by name.
    pub model: BTreeMap<String, Tensor>,
    /// The optimizer's moments by name.
    pub moments: BTreeMap<String, Tensor>,
}

/// The JSON of a state: whole numbers and texts.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u64,
    model: Meta,
    steps: usize,
    micro_batches: usize,
    clips: usize,
    skipped: usize,
    updates: u64,
    best_epoch: Option<usize>,
    metrics: String,
}

impl State {
    /// What `store` and `optimizer` hold now.
    pub fn of(
        meta: Meta,
        progress: Progress,
        metrics: String,
        best: Option<Best>,
        store: &Store,
        optimizer: &Optimizer,
    ) -> Outcome<State> {
        let (updates, moments) = optimizer.state()?;
        Ok(State {
            meta,
            progress,
            metrics,
            best,
            updates,
            model: store.tensors(),
            moments,
        })
    }

    /// Puts the numbers into a model and an optimizer that were made by the same settings.
    pub fn restore(&self, store: &Store, optimizer: &mut Optimizer) -> Outcome {
        store.load(&self.model)?;
        Ok(optimizer.restore(self.updates, &self.moments)?)
    }

    /// Writes the file whole or not at all.
    pub fn write(&self, path: &Path) -> Outcome {
        write_whole(path, &self.to_bytes()?)
    }

    /// The bytes of the file: the same for the same contents.
    pub fn to_bytes(&self) -> Outcome<Vec<u8>> {
        let Progress {
            steps,
            micro_batches,
            clips,
            skipped,
            loss,
            weight,
            gradient_norm,
        } = self.progress;
        let header = Header {
            version: VERSION,
            model: self.meta.clone(),
            steps,
            micro_batches,
            clips,
            skipped,
            updates: self.updates,
            best_epoch: self.best.map(|best| best.epoch),
            metrics: self.metrics.clone(),
        };
        let score = self.best.map_or(0.0, |best| best.score);
        let model = self.model.iter();
        let model = model.map(|(name, tensor)| (format!("{MODEL}{name}"), tensor.clone()));
        let mut tensors: BTreeMap<String, Tensor> = model.collect();
        tensors.extend(self.moments.clone());
        let sums = Tensor::new(&[loss, weight, score, gradient_norm], &Device::Cpu)?;
        tensors.insert(SUMS.to_owned(), sums);
        Ok(sealed::to_bytes(&header, &tensors)?)
    }

    /// Reads what [`write`](Self::write) wrote.
    pub fn read(path: &Path) -> Outcome<State> {
        State::understand(sealed::read(path, "training state")?, path)
    }

    pub(super) fn understand(unsealed: sealed::Unsealed, path: &Path) -> Outcome<State> {
        let damaged = |found: String| {
            let path = path.display();
            Failure::error(format!("{path}: expected a training state, found {found}"))
        };
        let header: Header = serde_json::from_value(unsealed.meta)
            .map_err(|error| damaged(format!("metadata of another kind: {error}")))?;
        let (mut model, mut moments) = (BTreeMap::new(), BTreeMap::new());
        let mut sums = None;
        for (name, tensor) in unsealed.tensors {
            match name.strip_prefix(MODEL) {
                Some(own) => {
                    model.insert(own.to_owned(), tensor);
                }
                None if name == SUMS && tensor.dtype() == DType::F64 => sums = Some(tensor),
                None => {
                    moments.insert(name, tensor);
                }
            }
        }
        let sums = sums.and_then(|sums| sums.to_vec1::<f64>().ok());
        // States of the first programs lack the norms: the rest of such an epoch counts alone.
        let (loss, weight, score, gradient_norm) = match sums.as_deref() {
            Some(&[loss, weight, score, norm]) => (loss, weight, score, norm),
            Some(&[loss, weight, score]) => (loss, weight, score, 0.0),
            _ => return Err(damaged(format!("none with the four numbers {SUMS}"))),
        };
        Ok(State {
            meta: header.model,
            progress: Progress {
                steps: header.steps,
                micro_batches: header.micro_batches,
                clips: header.clips,
                skipped: header.skipped,
                loss,
                weight,
                gradient_norm,
            },
            metrics: header.metrics,
            best: header.best_epoch.map(|epoch| Best { epoch, score }),
            updates: header.updates,
            model,
            moments,
        })
    }
}

#[cfg(test)]
mod tests {
    use skeleton_graph::Layout;
    use skeletonmae::train::OptimizerConfig;
    use skeletonmae::{MaeConfig, SkeletonMae};

    use super::*;
    use crate::checkpoint::tests::checkpoint;

    fn model(seed: u64) -> (Store, Optimizer) {
        let store = Store::new(seed, DType::F32, &Device::Cpu);
        let mae = MaeConfig {
            width: 8,
            encoder_layers: 1,
            ..MaeConfig::default()
        };
        let layout = Layout::built_in("coco17").unwrap();
        SkeletonMae::new(&mae, &layout, 2, store.builder()).unwrap();
        let adam = OptimizerConfig::Adam {
            lr: 0.1,
            beta1: 0.9,
            beta2: 0.999,
            weight_decay: 0.0,
        };
        let optimizer = Optimizer::new(adam, store.parameters()).unwrap();
        (store, optimizer)
    }

    /// A state after one update by gradients of a third, whose sums are no round numbers.
    fn state() -> State {
        let (store, mut optimizer) = model(1);
        let third = |var: &candle_core::Var| Some((var.ones_like().unwrap() / 3.0).unwrap());
        let gradients: Vec<_> = store.parameters().iter().map(|(_, v)| third(v)).collect();
        optimizer.step(&gradients, 0.1).unwrap();
        let progress = Progress {
            steps: 3,
            micro_batches: 5,
            clips: 70,
            skipped: 1,
            loss: 1.0 / 3.0,
            weight: 1e-300,
            gradient_norm: 2.0 / 7.0,
        };
        let best = Some(Best {
            epoch: 2,
            score: -0.1,
        });
        let metrics = "{\"epoch\":1}\n".to_owned();
        State::of(
            checkpoint().meta,
            progress,
            metrics,
            best,
            &store,
            &optimizer,
        )
        .unwrap()
    }

    fn read(bytes: &[u8]) -> Outcome<State> {
        let path = Path::new("x");
        let unsealed = sealed::from_bytes(bytes, path, "training state")?;
        State::understand(unsealed, path)
    }

    #[test]
    fn a_state_comes_back_bit_for_bit_into_another_model() {
        let state = state();
        let bytes = state.to_bytes().unwrap();
        let back = read(&bytes).unwrap();
        assert_eq!((back.progress, back.best), (state.progress, state.best));
        let (store, mut optimizer) = model(2);
        back.restore(&store, &mut optimizer).unwrap();
        let State {
            meta,
            progress,
            metrics,
            best,
            ..
        } = back;
        let again = State::of(meta, progress, metrics, best, &store, &optimizer).unwrap();
        assert!(again.to_bytes().unwrap() == bytes);
    }

    #[test]
    fn a_checkpoint_is_no_state() {
        let bytes = checkpoint().to_bytes().unwrap();
        let refused = read(&bytes).unwrap_err();
        refused.assert_says("expected a training state");
    }

    #[test]
    fn two_thousand_damages_are_all_found() {
        crate::checkpoint::tests::damaged(&state().to_bytes().unwrap(), |bytes| {
            read(bytes).map(|state| state.to_bytes().unwrap())
        });
    }
}
