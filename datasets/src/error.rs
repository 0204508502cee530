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

impl Error {
    pub(crate) fn value(
        file: &str,
        key: &'static str,
        found: impl ToString,
        expected: &str,
    ) -> Error {
        Error::Value {
            file: file.to_owned(),
            key,
            found: found.to_string(),
            expected: expected.to_owned(),
        }
    }

    /// Makes what the TOML reader says an error of a file: `map_err(Error::syntax(file))`.
    pub(crate) fn syntax(file: &str) -> impl FnOnce(toml::de::Error) -> Error + '_ {
        move |cause| Error::Syntax {
            file: file.to_owned(),
            cause: Box::new(cause),
        }
    }
}
