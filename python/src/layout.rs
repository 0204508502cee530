//! Layouts: joints, edges, parts, and the matrices of their graph.

use numpy::{PyArray2, PyArrayMethods, ToPyArray};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use skeleton_graph as graph;

use crate::Error;

/// Joints, the tree that joins them, body parts and left-right pairs: a built-in layout by its name, or the TOML text of one.
///
/// >>> layout = Layout("coco17")
/// >>> layout
/// <Layout coco17: 17 joints>
/// >>> layout.joints[0], layout.edges[0], layout.parts["head"]
/// ('nose', (1, 0), [0, 1, 2, 3, 4])
#[pyclass(frozen, eq, module = "skeletonmae")]
#[derive(PartialEq)]
pub struct Layout(pub graph::Layout);

/// A layout's error as an exception.
fn raised(error: graph::LayoutError) -> PyErr {
    Error::new_err(error.to_string())
}

#[pymethods]
impl Layout {
    #[new]
    fn new(name_or_toml: &str) -> PyResult<Self> {
        let layout = match name_or_toml.contains('=') {
            true => graph::Layout::from_toml(name_or_toml, "layout"),
            false => graph::Layout::built_in(name_or_toml),
        };
        layout.map(Layout).map_err(raised)
    }

    /// The names of the built-in layouts.
    #[staticmethod]
    fn built_in() -> Vec<&'static str> {
        graph::Layout::BUILT_IN.to_vec()
    }

    /// Its name.
    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    /// Names of the joints; a joint's number is its place here.
    #[getter]
    fn joints(&self) -> Vec<String> {
        self.0.joints().to_vec()
    }

    /// Bones as (child, parent), by child: every joint but the root is a child once.
    #[getter]
    fn edges(&self) -> Vec<(usize, usize)> {
        self.0.edges().to_vec()
    }

    /// Body parts by name, each with its joints: what pre-training hides as one.
    #[getter]
    fn parts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let parts = PyDict::new(py);
        for part in self.0.parts() {
            parts.set_item(&part.name, &part.joints)?;
        }
        Ok(parts)
    }

    /// Pairs of joints that change places when left and right do.
    #[getter]
    fn flips(&self) -> Vec<(usize, usize)> {
        self.0.flips().to_vec()
    }

    /// The joint without a parent.
    #[getter]
    fn root(&self) -> usize {
        self.0.root()
    }

    /// The whole layout as TOML, which `Layout` reads again.
    fn to_toml(&self) -> String {
        self.0.to_toml()
    }

    /// (v, v) float64, a matrix of the graph: "binary" is A, 1 where a bone joins two joints; "row" is A + I with rows that sum to
    /// 1; "symmetric" is D^-1/2 (A + I) D^-1/2.
    ///
    /// >>> Layout("coco17").adjacency("row").sum(axis=1).round(6).min()
    /// np.float64(1.0)
    #[pyo3(signature = (kind = "binary"))]
    fn adjacency<'py>(&self, py: Python<'py>, kind: &str) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let graph = self.0.adjacency();
        let matrix = match kind {
            "binary" => graph.binary(),
            "row" => graph.row_normalised(),
            "symmetric" => graph.symmetric(),
            _ => {
                let message = format!("kind: expected binary, row or symmetric, found {kind:?}");
                return Err(Error::new_err(message));
            }
        };
        let v = graph.len();
        matrix.to_pyarray(py).reshape([v, v])
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __repr__(&self) -> String {
        format!("<Layout {}: {} joints>", self.0.name(), self.0.len())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyAny>, (String,)) {
        (slf.get_type().into_any(), (slf.get().0.to_toml(),))
    }
}
