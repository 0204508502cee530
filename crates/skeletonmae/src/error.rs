//! What can go wrong in a model or an engine.

/// Errors of this crate and of `strl`, whose engine shares them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Candle refused an operation: shapes, types or devices don't fit.
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// A setting that no run can have.
    #[error("{field}: expected {expected}, found {found}")]
    Setting {
        /// The field's path from the struct that was asked, such as `optimizer.lr`.
        field: String,
        /// What would be accepted.
        expected: String,
        /// What was given.
        found: String,
    },
    /// Parameters that don't fit the model.
    #[error("parameter {name}: expected {expected}, found {found}")]
    Parameter {
        /// The parameter's name.
        name: String,
        /// Shape the model has, or "none".
        expected: String,
        /// Shape that was given, or "none".
        found: String,
    },
    /// A loss or a gradient is NaN or infinite; nothing of the step has changed the model.
    #[error("the {quantity} is {value} in epoch {epoch}, step {step}; clips of the step: {}", .clips.join(", "))]
    NonFinite {
        /// What isn't finite.
        quantity: Quantity,
        /// Epoch, from 0.
        epoch: usize,
        /// Step in the epoch, from 0.
        step: usize,
        /// The loss, or the gradient's norm.
        value: f64,
        /// Ids of the clips in the step.
        clips: Vec<String>,
    },
    /// Every step of an epoch was skipped since its loss or gradient wasn't finite.
    #[error("all {steps} steps of epoch {epoch} were skipped: no loss and gradient was finite")]
    AllSkipped {
        /// Epoch, from 0.
        epoch: usize,
        /// Its steps.
        steps: usize,
    },
    /// The data source failed.
    #[error(transparent)]
    Data(Box<dyn std::error::Error + Send + Sync>),
    /// Ranks that train together couldn't exchange what they have.
    #[error("the exchange between ranks failed: {0}")]
    Exchange(String),
    /// Another rank couldn't go on; nothing of its step has changed the model.
    #[error("rank {rank}: {message}")]
    OtherRank {
        /// Which.
        rank: usize,
        /// Why, in its words.
        message: String,
    },
    /// The observer, of any rank, asked to stop; parameters are those after the last whole step.
    #[error("stopped in epoch {epoch} after {steps} steps")]
    Stopped {
        /// Epoch, from 0.
        epoch: usize,
        /// Steps done in it.
        steps: usize,
    },
}

impl Error {
    /// Refuses the value of a field unless it is `ok`.
    ///
    /// # Errors
    /// Names the field.
    pub fn refuse_unless(
        ok: bool,
        field: &str,
        expected: &str,
        found: impl std::fmt::Display,
    ) -> Result<()> {
        match ok {
            true => Ok(()),
            false => Err(Self::setting(field, expected, found)),
        }
    }

    /// Of a field whose value no run can have.
    pub fn setting(field: &str, expected: &str, found: impl std::fmt::Display) -> Self {
        Self::Setting {
            field: field.to_owned(),
            expected: expected.to_owned(),
            found: found.to_string(),
        }
    }

    /// Of a tensor that the model has in one shape and was given in another; none where there is no such tensor.
    pub fn parameter(name: &str, expected: Option<&[usize]>, found: Option<&[usize]>) -> Self {
        let shape = |dims: Option<&[usize]>| dims.map_or("none".into(), |d| format!("{d:?}"));
        Self::Parameter {
            name: name.to_owned(),
            expected: shape(expected),
            found: shape(found),
        }
    }

    /// The same of the struct that holds the one that was asked, in its field `place`.
    #[must_use]
    pub fn within(mut self, place: &str) -> Self {
        if let Self::Setting { field, .. } = &mut self {
            *field = format!("{place}.{field}");
        }
        self
    }
}

/// Refuses 0.
///
/// # Errors
/// Names the field.
pub fn positive(field: &str, value: usize) -> Result<()> {
    Error::refuse_unless(value > 0, field, "a number above 0", value)
}

/// What of a training step can fail to be finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// The loss.
    Loss,
    /// The gradient over all parameters.
    Gradient,
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Quantity::Loss => "loss",
            Quantity::Gradient => "gradient",
        })
    }
}

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;
