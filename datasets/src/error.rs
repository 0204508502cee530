//! What can be wrong with a file of facts. The files are embedded, so only their author sees it.

/// Why a file was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{file}: {cause}")]
    Syntax {
        file: String,
        #[source]
        cause: Box<toml::de::Error>,
    },
    #[error("{file}: {key}: found {found:?}, expected {expected}")]
    Value {
        file: String,
        key: &'static str,
        found: String,
        expected: String,
    },
}
