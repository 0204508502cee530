//! The HDF5 cache.
