//! Which graph network encodes and decodes: paper section 4.3, Table 4c.

use serde::{Deserialize, Serialize};

/// The kind of the layers of encoder and decoder. Each ends, but for the decoder's, with `BatchNorm` and PReLU.
///
/// Differs from the paper: it names the three and defines none; they are what their authors and `GraphMAE`
/// (Z. Hou et al., KDD 2022, arXiv 2205.10803), whose paradigm it follows, made of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backbone {
    /// Graph isomorphism network (K. Xu et al., ICLR 2019), the paper's choice: an MLP of `(1 + eps) x` and the
    /// sum of the neighbours.
    #[default]
    Gin,
    /// Graph convolutional network (T. Kipf and M. Welling, ICLR 2017): one map of the neighbours and the joint
    /// itself, weighted by `D^-1/2 (A + I) D^-1/2`.
    Gcn,
    /// Graph attention network (P. Velickovic et al., ICLR 2018): the weights of neighbours and the joint itself
    /// depend on their features. Four heads, a quarter of the width each, in the encoder, one in the decoder, as
    /// in `GraphMAE`; no dropout of weights.
    Gat,
}

impl Backbone {
    /// As it is written in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gin => "gin",
            Self::Gcn => "gcn",
            Self::Gat => "gat",
        }
    }
}
