//! What the tasks share with the tests of the workspace: reading its source.
#![forbid(unsafe_code)]

pub mod code;
pub mod modules;
