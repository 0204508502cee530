//! Batches by the reading, the augmentation and the keyed draws of the program.

use std::sync::{Arc, Mutex};

use numpy::{PyArray1, PyArray3, PyArray4, PyArrayMethods, ToPyArray};
use pyo3::prelude::*;
use serde_json::Value;
use skeleton_data::augment::Augment;
use skeleton_data::loader;
use skeleton_data::reading::Reading;
use skeleton_data::{ClipSource, cache};
use skeleton_graph::{random, steps};

use crate::cache::Cache;
use crate::{Error, raised};

/// Makes batches of a cache's clips as the program does: for training with `augment`, for evaluation without.
///
/// `reading` and `augment` are JSON with the settings `[reading]` and `[...augment]` of a run's config.toml, or some of them; what
/// is left out is the default. What is drawn depends on seed, epoch and the clip's name alone, whatever the workers: threads that
/// read ahead in `epoch`. `twice` reads each clip twice, each time augmented by itself.
///
/// `skeletonmae.torch.ClipDataset` is this for PyTorch.
///
/// >>> loader = Loader(Cache("synthetic.h5"), '{"frames": 32}')
/// >>> batch = loader.batch([0, 1, 2])
/// >>> batch.keypoints.shape, batch.presence.shape, batch.track_clip
/// ((3, 32, 17, 2), (3, 32, 17), array([0, 1, 2]))
#[pyclass(frozen, module = "skeletonmae")]
pub struct Loader {
    cache: Arc<cache::Cache>,
    reading: Reading,
    loader: loader::Loader,
}

/// The tracks of some clips, one person of one clip each, present ones only.
///
/// `keypoints` (n, t, v, c) float32, normalised, absent joints 0; `presence` (n, t, v) float32, 1 where a joint is present;
/// `track_clip` (n,) int64, the clip of each track within the batch; `labels` (b,) int64, -1 where a clip has none; `ids`, the
/// clips' names. In evaluation with several views each view counts as a clip.
#[pyclass(frozen, get_all, module = "skeletonmae")]
pub struct Batch {
    keypoints: Py<PyArray4<f32>>,
    presence: Py<PyArray3<f32>>,
    track_clip: Py<PyArray1<i64>>,
    labels: Py<PyArray1<i64>>,
    ids: Vec<String>,
}

/// The batches of an epoch, in order.
#[pyclass(frozen, module = "skeletonmae")]
pub struct Batches(Mutex<loader::Batches>);

/// The settings of `base` with those of the object `text` in their place.
fn settings<T>(base: &T, text: &str, name: &str) -> PyResult<T>
where
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    let failed = |error: serde_json::Error| Error::new_err(format!("{name}: {error}"));
    let mut all = serde_json::to_value(base).map_err(failed)?;
    let given: Value = serde_json::from_str(text).map_err(failed)?;
    match (&mut all, given) {
        (Value::Object(all), Value::Object(given)) => all.extend(given),
        (_, given) => {
            return Err(Error::new_err(format!(
                "{name}: expected settings, found {given}"
            )));
        }
    }
    serde_json::from_value(all).map_err(failed)
}

fn arrays(py: Python<'_>, batch: loader::Batch) -> PyResult<Batch> {
    let (n, t, v, c) = (
        batch.tracks(),
        batch.frames,
        batch.joints,
        batch.coordinates,
    );
    let clips: Vec<i64> = batch.track_clip.into_iter().map(i64::from).collect();
    Ok(Batch {
        keypoints: PyArray1::from_vec(py, batch.keypoints)
            .reshape([n, t, v, c])?
            .unbind(),
        presence: PyArray1::from_vec(py, batch.presence)
            .reshape([n, t, v])?
            .unbind(),
        track_clip: clips.to_pyarray(py).unbind(),
        labels: batch.labels.to_pyarray(py).unbind(),
        ids: batch.ids,
    })
}

#[pymethods]
impl Loader {
    #[new]
    #[pyo3(signature = (cache, reading = "{}", augment = None, workers = 0, twice = false))]
    fn new(
        cache: &Bound<'_, Cache>,
        reading: &str,
        augment: Option<&str>,
        workers: usize,
        twice: bool,
    ) -> PyResult<Self> {
        let cache = Arc::clone(&cache.get().inner);
        let reading = settings(&Reading::default(), reading, "reading")?;
        let augment = augment.map(|text| settings(&Augment::default(), text, "augment"));
        let source: Arc<dyn ClipSource> = cache.clone();
        let loader = loader::Loader::new(source, reading.clone(), augment.transpose()?, workers);
        let loader = loader.map_err(raised)?;
        Ok(Loader {
            cache,
            reading,
            loader: if twice { loader.twice() } else { loader },
        })
    }

    /// The complete reading, as JSON.
    #[getter]
    fn reading(&self) -> PyResult<String> {
        let text = serde_json::to_string(&self.reading);
        text.map_err(|error| Error::new_err(error.to_string()))
    }

    /// Those of the clips (places in the cache) that show somebody as they are read; others can't be.
    fn shown(&self, py: Python<'_>, clips: Vec<u32>) -> PyResult<Vec<u32>> {
        py.detach(|| {
            let mut shown = Vec::with_capacity(clips.len());
            for clip in clips {
                if clip as usize >= self.cache.len() {
                    let clips = format!("indices below {}", self.cache.len());
                    return Err(skeleton_data::Error::setting("clips", clips, clip));
                }
                if self
                    .reading
                    .shows_somebody(&self.cache.clip(clip as usize)?)
                {
                    shown.push(clip);
                }
            }
            Ok(shown)
        })
        .map_err(raised)
    }

    /// The batch of these clips (places in the cache), in this order.
    #[pyo3(signature = (clips, seed = 0, epoch = 0))]
    fn batch(&self, py: Python<'_>, clips: Vec<u32>, seed: u64, epoch: u64) -> PyResult<Batch> {
        let read = py.detach(|| {
            let mut batches = self.loader.planned(vec![clips], seed, epoch);
            batches
                .next()
                .unwrap_or_else(|| Ok(loader::Batch::default()))
        });
        arrays(py, read.map_err(raised)?)
    }

    /// The clips in batches of `batch`, the last one shorter, read ahead by the workers.
    #[pyo3(signature = (clips, batch, seed = 0, epoch = 0))]
    fn epoch(&self, clips: Vec<u32>, batch: usize, seed: u64, epoch: u64) -> Batches {
        Batches(Mutex::new(self.loader.epoch(&clips, batch, seed, epoch)))
    }
}

#[pymethods]
impl Batches {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Batch>> {
        let next = py.detach(|| {
            let mut batches = self
                .0
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            batches.next().transpose()
        });
        next.map_err(raised)?
            .map(|batch| arrays(py, batch))
            .transpose()
    }
}

#[pymethods]
impl Batch {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let shape = self.keypoints.bind(py).as_any().getattr("shape")?.repr()?;
        Ok(format!("<Batch: {} clips, tracks {shape}>", self.ids.len()))
    }
}

/// How clips are read where nothing else is said, as JSON.
#[pyfunction]
pub fn default_reading() -> PyResult<String> {
    let text = serde_json::to_string(&Reading::default());
    text.map_err(|error| Error::new_err(error.to_string()))
}

/// (n,) int64, the order of `n` clips in an epoch: a permutation that depends on seed and epoch alone.
///
/// Clips are taken by the order of their names first.
#[pyfunction]
pub fn shuffled(py: Python<'_>, seed: u64, epoch: u64, n: usize) -> Bound<'_, PyArray1<i64>> {
    let order = random::shuffled(seed, epoch, n).into_iter();
    order
        .map(|place| place as i64)
        .collect::<Vec<_>>()
        .to_pyarray(py)
}

/// The steps of an epoch, each in micro-batches: about `batch` clips a step, at most `micro_batch` at once, as even as can be.
///
/// >>> plan([0, 1, 2, 3, 4], 2, 2)
/// [[[0, 1]], [[2], [3, 4]]]
#[pyfunction]
pub fn plan(order: Vec<u32>, batch: usize, micro_batch: usize) -> Vec<Vec<Vec<u32>>> {
    steps::plan(&order, batch, micro_batch)
}
