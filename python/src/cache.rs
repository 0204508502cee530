//! Caches and their clips, whose numbers numpy reads where they lie.
#![allow(unsafe_code, reason = "lends a cache's numbers to numpy")]

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use half::f16;
use ndarray::{ArrayView, Dimension, IntoDimension};
use numpy::{Element, PyArray, PyArray1, PyArrayMethods, ToPyArray};
use pyo3::exceptions::{PyIndexError, PyKeyError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use skeleton_data::split::Fold;
use skeleton_data::{ClipSource, ValuesRef, cache};

use crate::layout::Layout;
use crate::{Error, raised};

/// A cache of `ssl prepare`, open for reading.
///
/// >>> cache = Cache("synthetic.h5")
/// >>> cache
/// <Cache synthetic.h5: 960 clips of synthetic, coco17, 16 classes>
/// >>> clip = cache[0]
/// >>> clip.id, clip.label, clip.keypoints.shape
/// ('s000_a00_r000', 0, (1, 87, 17, 2))
/// >>> cache.splits
/// {'train': 672, 'val': 288}
///
/// Opening checks everything but the coordinates, whose checksums are checked clip by clip at the first read. The file is mapped,
/// not read: processes share it, and it must not be changed meanwhile. Errors are `skeletonmae.Error`.
#[pyclass(frozen, mapping, module = "skeletonmae")]
pub struct Cache {
    pub(crate) inner: Arc<cache::Cache>,
    /// Clips by name, made when one is first asked for by name.
    index: OnceLock<HashMap<String, usize>>,
}

/// A clip by its place or by its name.
#[derive(FromPyObject)]
enum Key {
    Place(isize),
    Name(String),
}

/// A clip with its numbers, which are shared with the cache: see `Cache.clip` and `Cache.scores`. `label` is None where there is
/// none; `image` is (height, width) in pixels; `subject`, `camera` and `setup` are numbers where the source knows them.
#[pyclass(frozen, get_all, module = "skeletonmae")]
pub struct Clip {
    id: String,
    label: Option<u32>,
    keypoints: Py<PyAny>,
    scores: Option<Py<PyAny>>,
    image: Option<(u32, u32)>,
    subject: Option<u32>,
    camera: Option<u32>,
    setup: Option<u32>,
}

impl Cache {
    fn place(&self, key: &Key) -> PyResult<usize> {
        let n = self.inner.len();
        match key {
            Key::Place(place) => {
                let from_end = if *place < 0 { n as isize } else { 0 };
                usize::try_from(place + from_end)
                    .ok()
                    .filter(|&place| place < n)
                    .ok_or_else(|| {
                        let path = self.inner.path().display();
                        PyIndexError::new_err(format!("{path}: clip {place} of {n}"))
                    })
            }
            Key::Name(id) => self.names().get(id).copied().ok_or_else(|| {
                let path = self.inner.path().display();
                PyKeyError::new_err(format!("{path}: no clip named {id:?}"))
            }),
        }
    }

    fn names(&self) -> &HashMap<String, usize> {
        self.index.get_or_init(|| {
            let all = 0..self.inner.len();
            all.map(|i| (self.inner.sample(i).id.to_owned(), i))
                .collect()
        })
    }
}

/// A read-only array of what `owner` holds.
fn lend<'py>(
    owner: &Bound<'py, Cache>,
    values: ValuesRef<'_>,
    shape: impl IntoDimension,
) -> PyResult<Bound<'py, PyAny>> {
    match values {
        ValuesRef::F16(values) => lend_as::<f16, _>(owner, values, shape.into_dimension()),
        ValuesRef::F32(values) => lend_as::<f32, _>(owner, values, shape.into_dimension()),
    }
}

fn lend_as<'py, T: Element, D: Dimension>(
    owner: &Bound<'py, Cache>,
    values: &[T],
    shape: D,
) -> PyResult<Bound<'py, PyAny>> {
    let view = ArrayView::from_shape(shape, values).map_err(|e| Error::new_err(e.to_string()))?;
    // SAFETY: `values` lie in the map, or in the unpacked numbers, of the cache that `owner` holds by an `Arc` and never replaces
    // or changes; the array's base is `owner`, so they outlive it. Nobody writes to them: the array is made read-only before it
    // is given away, and numpy refuses to make it writeable again, since its base lends no writeable buffer.
    let array = unsafe { PyArray::borrow_from_array(&view, owner.clone().into_any()) };
    Ok(array.try_readwrite()?.make_nonwriteable().as_any().clone())
}

#[pymethods]
impl Cache {
    #[new]
    fn open(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let inner = py.detach(|| cache::Cache::open(&path)).map_err(raised)?;
        Ok(Cache {
            inner: Arc::new(inner),
            index: OnceLock::new(),
        })
    }

    /// The file.
    #[getter]
    fn path(&self) -> PathBuf {
        self.inner.path().to_owned()
    }

    /// The clips' names, in the order of the file.
    #[getter]
    fn ids(&self) -> Vec<&str> {
        let all = 0..self.inner.len();
        all.map(|i| self.inner.sample(i).id).collect()
    }

    /// (clips,) int64, the clips' classes, -1 where a clip has none.
    #[getter]
    fn labels<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        let labels = self.inner.labels().into_iter();
        let labels: Vec<i64> = labels.map(|label| label.map_or(-1, i64::from)).collect();
        labels.to_pyarray(py)
    }

    /// Names of the classes, by label.
    #[getter]
    fn classes(&self) -> Vec<String> {
        self.inner.classes().to_vec()
    }

    /// The splits by name, with their numbers of clips.
    #[getter]
    fn splits<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let splits = PyDict::new(py);
        for (name, clips) in self.inner.splits() {
            splits.set_item(name, clips)?;
        }
        Ok(splits)
    }

    /// The joints of all clips.
    #[getter]
    fn layout(&self) -> Layout {
        Layout(self.inner.layout().clone())
    }

    /// What coordinates are measured in: "pixel", "metre" (camera space) or "normalised".
    #[getter]
    fn units(&self) -> &'static str {
        self.inner.units().name()
    }

    /// The data set's name.
    #[getter]
    fn dataset(&self) -> &str {
        self.inner.dataset()
    }

    /// SHA-256 over everything in the file, in hexadecimal: the same data, the same fingerprint.
    #[getter]
    fn fingerprint(&self) -> &str {
        self.inner.digest()
    }

    /// c, numbers of a joint: 2 or 3.
    #[getter]
    fn coordinates(&self) -> usize {
        self.inner.coordinates()
    }

    /// Whether joints have a detector's scores.
    #[getter]
    fn has_scores(&self) -> bool {
        self.inner.has_scores()
    }

    /// Where the data came from and how they were prepared, as `ssl prepare` noted it.
    #[getter]
    fn source<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let text = self.inner.source().to_string();
        py.import("json")?.call_method1("loads", (text,))
    }

    /// (n,) int64, the clips of a split by their places, in its order. `"all"` is every clip; `"NAME@1/4"` and `"NAME@not1/4"`
    /// are a fold of a split and the rest of it, by the clips' names, as `ssl` has them.
    ///
    /// >>> Cache("synthetic.h5").split("val")[:3]
    /// array([672, 673, 674])
    fn split<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let has = |name: &str| self.inner.splits().any(|(known, _)| known == name);
        let (split, fold) = match Fold::parse(name) {
            // It may be a split's own name.
            (_, Some(_)) if has(name) => (name, None),
            parsed => parsed,
        };
        let mut clips = self.inner.split(split).map_err(raised)?.to_vec();
        if let Some(fold) = fold {
            let sample = |clip: u32| self.inner.sample(clip as usize);
            clips.sort_by_key(|&clip| sample(clip).id);
            clips = fold.of(
                &clips,
                |clip| sample(clip).subject,
                |clip| sample(clip).label,
            );
        }
        let clips: Vec<i64> = clips.into_iter().map(i64::from).collect();
        Ok(clips.to_pyarray(py))
    }

    /// The place of a clip by its name (or by its place, from the end where it is negative).
    fn index(&self, key: Key) -> PyResult<usize> {
        self.place(&key)
    }

    /// (persons, frames, joints, coordinates), float16 or float32 as stored, in `units`, of a clip by its place or name. A person
    /// who is absent in a frame, and a joint that is missing, is all zeros.
    ///
    /// The array is read-only and shares the file's map: nothing is copied, and the cache stays open as long as it is there.
    /// With `scores=True` it is a copy with the score behind the coordinates.
    ///
    /// >>> clip = Cache("synthetic.h5").clip(0)
    /// >>> clip.shape, clip.flags.owndata, clip.flags.writeable
    /// ((1, 87, 17, 2), False, False)
    #[pyo3(signature = (key, scores = false))]
    fn clip<'py>(slf: &Bound<'py, Self>, key: Key, scores: bool) -> PyResult<Bound<'py, PyAny>> {
        let clip = slf
            .get()
            .inner
            .clip(slf.get().place(&key)?)
            .map_err(raised)?;
        let keypoints = [clip.persons, clip.frames, clip.joints, clip.coordinates];
        let keypoints = lend(slf, clip.keypoints, keypoints)?;
        match clip.scores {
            Some(values) if scores => {
                let shape = [clip.persons, clip.frames, clip.joints, 1];
                let both = (keypoints, lend(slf, values, shape)?);
                let numpy = slf.py().import("numpy")?;
                numpy.call_method1("concatenate", (both, -1))
            }
            None if scores => {
                let path = slf.get().inner.path().display();
                Err(Error::new_err(format!(
                    "{path}: expected scores, found none"
                )))
            }
            _ => Ok(keypoints),
        }
    }

    /// (persons, frames, joints), the detector's confidence in each joint of a clip, or None; shared like `clip`.
    fn scores<'py>(slf: &Bound<'py, Self>, key: Key) -> PyResult<Option<Bound<'py, PyAny>>> {
        let clip = slf
            .get()
            .inner
            .clip(slf.get().place(&key)?)
            .map_err(raised)?;
        let shape = [clip.persons, clip.frames, clip.joints];
        clip.scores
            .map(|values| lend(slf, values, shape))
            .transpose()
    }

    /// Checks the checksum of every clip; gives their number and the bytes read. A clip's is checked at its first read anyway.
    fn verify(&self, py: Python<'_>) -> PyResult<(usize, u64)> {
        let report = py.detach(|| self.inner.verify()).map_err(raised)?;
        Ok((report.samples, report.bytes))
    }

    fn __len__(&self) -> usize {
        self.inner.len()
    }

    fn __contains__(&self, id: &str) -> bool {
        self.names().contains_key(id)
    }

    fn __getitem__(slf: &Bound<'_, Self>, key: Key) -> PyResult<Clip> {
        let cache = slf.get();
        let place = cache.place(&key)?;
        let (clip, info) = (
            cache.inner.clip(place).map_err(raised)?,
            cache.inner.sample(place),
        );
        let shape = [clip.persons, clip.frames, clip.joints];
        let scores = clip
            .scores
            .map(|values| lend(slf, values, shape))
            .transpose()?;
        let shape = [clip.persons, clip.frames, clip.joints, clip.coordinates];
        Ok(Clip {
            id: clip.id.to_owned(),
            label: clip.label,
            keypoints: lend(slf, clip.keypoints, shape)?.unbind(),
            scores: scores.map(Bound::unbind),
            image: clip.image,
            subject: info.subject,
            camera: info.camera,
            setup: info.setup,
        })
    }

    fn __iter__(slf: &Bound<'_, Self>) -> Clips {
        Clips {
            cache: slf.clone().unbind(),
            next: 0.into(),
        }
    }

    fn __repr__(&self) -> String {
        let cache = &self.inner;
        format!(
            "<Cache {}: {} clips of {}, {}, {} classes>",
            cache.path().display(),
            cache.len(),
            cache.dataset(),
            cache.layout().name(),
            cache.classes().len()
        )
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyAny>, (PathBuf,)) {
        (slf.get_type().into_any(), (slf.get().path(),))
    }
}

/// Goes over the clips of a cache in its order.
#[pyclass(frozen, module = "skeletonmae")]
pub struct Clips {
    cache: Py<Cache>,
    next: std::sync::atomic::AtomicUsize,
}

#[pymethods]
impl Clips {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Clip>> {
        let place = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let cache = self.cache.bind(py);
        match place < cache.get().inner.len() {
            true => Cache::__getitem__(cache, Key::Place(place as isize)).map(Some),
            false => Ok(None),
        }
    }
}

#[pymethods]
impl Clip {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let shape = self.keypoints.bind(py).getattr("shape")?.repr()?;
        let label = self
            .label
            .map_or("no label".to_owned(), |k| format!("label {k}"));
        Ok(format!("<Clip {:?}: {shape}, {label}>", self.id))
    }
}
