//! Rust source, read as far as it takes to count lines.

pub mod items;
pub mod tokens;
