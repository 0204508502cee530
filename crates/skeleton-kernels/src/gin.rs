//! The graph isomorphism network, paper section 3.2: "Encoder G_E ... GIN layers".
//!
//! The paper doesn't define its layer; this is GraphMAE's (arXiv 2205.10803), whose paradigm it follows.

use std::sync::Arc;

use candle_core::{Result, Tensor, bail};

use crate::cpu;
use crate::graph::JointMatrix;
use crate::params::{GinEnd, GinLayer, check};
use crate::plain::{
    add_bias, fused_on_cpu, in_each_frame, linear_without_bias, prelu, repeat_number,
};
pub use crate::rows::Readout;
use crate::stats::{BatchStats, Norms, Stats};

/// `h = PReLU(BN(MLP((1 + eps) x + sum of the neighbours' x)))`, MLP = linear, `BatchNorm`, ReLU, linear, layer by layer
/// (K. Xu et al., ICLR 2019). x is (n, t, v, c), `graph` is A, binary and without self loops.
///
/// Also returned are the batch's statistics, none where it normalises by given ones: of each layer those behind its first
/// linear map, then those behind its second.
///
/// A decoder's layer ends with its second linear map, [`GinEnd::Bias`]; it stands alone and gives [`Readout::Rows`].
///
/// # Errors
/// When the shapes don't fit.
pub fn gin(
    x: &Tensor,
    layers: &[GinLayer<Tensor>],
    graph: &Arc<JointMatrix>,
    readout: &Readout,
    stats: Stats<'_>,
) -> Result<(Tensor, Vec<BatchStats>)> {
    fits(x, layers, graph, readout)?;
    if fused_on_cpu(x) {
        cpu::gin::apply(x, layers, graph, readout, stats)
    } else {
        reference(x, layers, graph, readout, stats)
    }
}

/// The definition of [`gin()`].
///
/// # Errors
/// When the shapes don't fit.
pub fn reference(
    x: &Tensor,
    layers: &[GinLayer<Tensor>],
    graph: &JointMatrix,
    readout: &Readout,
    stats: Stats<'_>,
) -> Result<(Tensor, Vec<BatchStats>)> {
    let a = graph.dense(x)?; // (v, v)
    let mut norms = Norms::new(stats);
    let mut h = x.clone();
    for layer in layers {
        let (n, t, v, c) = h.dims4()?;
        let factor = (&layer.eps + 1.0)?.to_dtype(h.dtype())?;
        let own = repeat_number(&factor, n * t * v, c)?.reshape(h.dims())?;
        let sum = ((&h * own)? + in_each_frame(&a, &h)?)?; // (1 + eps) x + sum of the neighbours' x
        let hidden = norms
            .apply(
                &linear_without_bias(&sum, &layer.first.weight)?,
                &layer.first.norm,
            )?
            .relu()?;
        let z = linear_without_bias(&hidden, &layer.second)?;
        h = match &layer.end {
            GinEnd::Activated(end) => prelu(&norms.apply(&z, &end.norm)?, &end.slope)?,
            GinEnd::Bias(bias) => add_bias(&z, bias)?,
        };
    }
    Ok((readout.of(&h)?, norms.gathered))
}

fn fits(
    x: &Tensor,
    layers: &[GinLayer<Tensor>],
    graph: &JointMatrix,
    readout: &Readout,
) -> Result<()> {
    let (n, t, v, mut c) = x.dims4()?;
    let joints = graph.joints();
    if v != joints || n * t * v * c == 0 {
        bail!("gin: the graph has {joints} joints, x is {:?}", x.dims());
    }
    let Some(first) = layers.first() else {
        bail!("gin: a stack has a layer");
    };
    let d = first.first.norm.bias.elem_count();
    let mut without_norm = 0;
    for layer in layers {
        let ends_in = match &layer.end {
            GinEnd::Activated(_) => None,
            GinEnd::Bias(bias) => Some(bias.elem_count()),
        };
        check("gin", layer, &GinLayer::shapes(c, d, ends_in))?;
        without_norm += usize::from(ends_in.is_some());
        c = d;
    }
    let rows = matches!(readout, Readout::Rows(_));
    if without_norm != usize::from(rows) || rows && layers.len() > 1 {
        bail!("gin: a layer that ends with its map stands alone and gives rows");
    }
    if let Readout::Rows(rows) = readout {
        let end = rows.last().map_or(0, |&row| row as usize + 1);
        if end > n * t * v || !rows.is_sorted() {
            bail!("gin: expected ascending rows below {}", n * t * v);
        }
    }
    Ok(())
}
