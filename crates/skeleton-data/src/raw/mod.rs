//! Readers of the files other programs write.
