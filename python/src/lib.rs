//! `skeletonmae._native`: what the Python package takes from the Rust readers. `skeletonmae/_native.pyi` is its manual.
//!
//! Everything here is a thin wrapper: arrays in and out, errors as exceptions. A cache's numbers are lent to numpy where they lie.

mod cache;
mod layout;
mod loader;

use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

create_exception!(
    skeletonmae,
    Error,
    PyValueError,
    "What is wrong with a file, a clip or a setting: where, what was expected, what was found."
);

/// An error of the readers as an exception.
fn raised(error: skeleton_data::Error) -> PyErr {
    Error::new_err(error.to_string())
}

/// Settings as TOML text to the JSON text of the same values.
#[pyfunction]
fn toml_to_json(text: &str, source: &str) -> PyResult<String> {
    let failed = |error: &dyn std::fmt::Display| Error::new_err(format!("{source}: {error}"));
    let table: toml::Table = toml::from_str(text).map_err(|error| failed(&error))?;
    serde_json::to_string(&table).map_err(|error| failed(&error))
}

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::Error;
    #[pymodule_export]
    use super::cache::{Cache, Clip};
    #[pymodule_export]
    use super::layout::Layout;
    #[pymodule_export]
    use super::loader::{Batch, Batches, Loader, default_reading, plan, shuffled};
    #[pymodule_export]
    use super::toml_to_json;
}
