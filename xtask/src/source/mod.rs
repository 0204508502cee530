//! Rust source, read as far as it takes to count lines and to see which module uses which.

pub mod cycles;
pub mod items;
pub mod modules;
pub mod tokens;
