//! Named splits and held-out parts of them.
