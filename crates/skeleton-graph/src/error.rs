//! What can be wrong with a layout, said with the file, the place and the joint.

/// Why a layout was refused. `file` is the source named to [`Layout::from_toml`](crate::Layout::from_toml).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// No built-in layout has this name.
    #[error("no built-in layout is called {name:?}; there are {}", known.join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: &'static [&'static str],
    },
    /// The text is longer than any layout needs.
    #[error("{file}: {found} bytes of text, expected at most {limit}")]
    TooLong {
        /// Where the text is from.
        file: String,
        /// Its length in bytes.
        found: usize,
        /// The longest text that is read.
        limit: usize,
    },
    /// The text is no TOML, lacks a key, has one too many, or a value of the wrong type.
    #[error("{file}: not a layout: {cause}")]
    Syntax {
        /// Where the text is from.
        file: String,
        /// What the TOML reader says, with line and column.
        #[source]
        cause: Box<toml::de::Error>,
    },
    /// The facts are no skeleton's: names that are blank or repeated, numbers that are no joint's, edges that are no tree, parts
    /// that don't hold each joint once.
    #[error("{file}: {problem}")]
    Invalid {
        /// Where the text is from.
        file: String,
        /// The entry, such as `edges[3]`, what was found in it, with joints by number and name, and what was expected.
        problem: String,
    },
}
