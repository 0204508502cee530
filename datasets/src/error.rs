//! What can be wrong with a file of facts.

/// Why a file was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not TOML, or not these keys.
    #[error("{file}: {cause}")]
    Syntax {
        /// The file.
        file: String,
        /// The place and the reason.
        #[source]
        cause: Box<toml::de::Error>,
    },
    /// A value that can't be.
    #[error("{file}: {key}: found {found:?}, expected {expected}")]
    Value {
        /// The file.
        file: String,
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: String,
    },
}
