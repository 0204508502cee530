//! What can go wrong in a model or an engine.

/// Errors of this crate and of `strl`, whose engine shares them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Candle refused an operation: shapes, types or devices don't fit.
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// A setting that no run can have.
    #[error("{key}: expected {expected}, found {found}")]
    Setting {
        /// The setting's name in the configuration.
        key: &'static str,
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
    /// The loss is NaN or infinite; the run must not go on.
    #[error("the loss is {loss} in epoch {epoch}, step {step}; clips of the step: {}", .clips.join(", "))]
    NonFinite {
        /// Epoch, from 0.
        epoch: usize,
        /// Step in the epoch, from 0.
        step: usize,
        /// The loss.
        loss: f64,
        /// Ids of the clips in the step.
        clips: Vec<String>,
    },
    /// The data source failed.
    #[error(transparent)]
    Data(Box<dyn std::error::Error + Send + Sync>),
    /// The observer asked to stop; parameters are those after the last whole step.
    #[error("stopped in epoch {epoch} after {steps} steps")]
    Stopped {
        /// Epoch, from 0.
        epoch: usize,
        /// Steps done in it.
        steps: usize,
    },
}

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;
