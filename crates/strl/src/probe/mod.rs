//! What a frozen encoder knows: a clip's representation, a linear probe and the nearest neighbours on it.
//!
//! Differs from the paper: it gives no protocol for a frozen encoder, so everything here is ours.
//!
//! - The representation ([`represent`]) is H = `G_E`(A, X) of the whole, unmasked skeleton by the statistics of training, averaged
//!   over the joints that are there (the paper's `SumPool`), then over time: the means of [`STRETCHES`] equal stretches and the
//!   standard deviation over all frames, averaged over the clip's tracks.
//! - The [linear probe](Linear) is multinomial logistic regression on features standardised by the training clips.
//! - The [`neighbours`] vote for their classes, weighted by the cosine of standardised features.
//!
//! Nothing here changes an encoder: representations are plain numbers without a graph.

mod knn;
mod linear;
mod representation;

pub use knn::neighbours;
pub use linear::{Chosen, DECAYS, LEARNING_RATE, Linear, STEPS, choose_decay};
pub use representation::{Features, Pretrained, STRETCHES, of_classifier, represent};
