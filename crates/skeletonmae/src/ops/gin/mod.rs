//! A stack of GIN layers as one op.
//!
//! `h = MLP((1 + eps) x + sum of the neighbours' x)`, MLP = linear, BatchNorm, ReLU, linear; in the
//! encoder BatchNorm and PReLU follow. What lies in memory between the passes of a layer is what comes
//! out of its two linear maps, z1 and z2. Everything else (neighbour sums, normalised and activated
//! features) is made anew from them, a chunk of frames at a time, in the cache, both on the way forward
//! and on the way back: statistics need all rows, nothing else does.

mod backward;
mod forward;
pub mod infer;
mod layer;
mod params;

use std::sync::{Arc, OnceLock};

use candle_core::{Result, Shape, Tensor, bail};

use super::kernel::{Kernel, Real, View, apply2};
use super::mix::JointMatrix;
use super::norm::Moments;
use super::pool::Saved;

pub use forward::pool;

/// What ends the stack.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// BatchNorm and PReLU end each layer; the result is (n, t, v, d).
    Activated,
    /// As `Activated`; of the result only `factor` times the sum over joints is given, (n, t, d).
    Pooled {
        /// The factor.
        factor: f64,
    },
    /// One layer that ends with the MLP; of its result only these rows (n t v counts them) are given,
    /// (rows, d). Statistics are those of all rows nevertheless.
    Mlp {
        /// Rows, ascending.
        rows: Arc<Vec<u32>>,
    },
}

/// A stack of layers on one graph.
#[derive(Clone, Debug)]
pub struct Stack {
    /// A, binary and without self loops.
    pub adjacency: Arc<JointMatrix>,
    /// How many layers.
    pub layers: usize,
    /// What ends the stack.
    pub ending: Ending,
}

struct Gin {
    stack: Stack,
    moments: Arc<OnceLock<Vec<Moments>>>,
    saved: Saved,
}

/// Applies a stack in training: normalised by the batch's statistics, which are returned (of each layer
/// those behind its first map, then, but for an MLP's end, those behind its second). x is (n, t, v, c).
///
/// `theta` holds the parameters, one after the other, of each layer: eps; the first map (d, c), in later
/// layers (d, d); weight and bias of the norm behind it; the second map (d, d); then weight and bias of
/// the norm behind that one and the slope of PReLU, or, at an MLP's end, the second map's bias. A bias in
/// front of a norm cancels and isn't among them; the moments returned are those without it.
///
/// # Errors
/// When the shapes don't fit.
pub fn gin(x: &Tensor, theta: &Tensor, stack: Stack) -> Result<(Tensor, Vec<Moments>)> {
    let moments = Arc::new(OnceLock::new());
    let op = Gin {
        stack,
        moments: moments.clone(),
        saved: Saved::default(),
    };
    let y = apply2(op, x, theta)?;
    match moments.get() {
        Some(moments) => Ok((y, moments.clone())),
        None => bail!("gin: the forward pass gathered no statistics"),
    }
}

impl Stack {
    /// d, from the number of parameters.
    fn width(&self, c: usize, parameters: usize) -> Result<usize> {
        let size = |d: usize| {
            let end = if matches!(self.ending, Ending::Mlp { .. }) {
                d
            } else {
                2 * d + 1
            };
            let layer = |c: usize| 1 + c * d + 2 * d + d * d + end;
            layer(c) + self.layers.saturating_sub(1) * layer(d)
        };
        let fits = (1..).take_while(|&d| size(d) <= parameters).last();
        match fits {
            Some(d) if size(d) == parameters && self.layers > 0 => Ok(d),
            _ => bail!(
                "gin: {parameters} parameters for {} layers on {c} features",
                self.layers
            ),
        }
    }

    fn check<T>(&self, x: &View<'_, T>) -> Result<()> {
        let (n, t, v, c) = x.dims4()?;
        if v != self.adjacency.len() || n * t * v * c == 0 {
            let joints = self.adjacency.len();
            bail!("gin: the graph has {joints} joints, x is {:?}", x.dims);
        }
        if let Ending::Mlp { rows } = &self.ending {
            let end = rows.last().map_or(0, |&row| row as usize + 1);
            if self.layers != 1 || end > n * t * v || !rows.is_sorted() {
                bail!(
                    "gin: an MLP's end takes one layer and ascending rows below {}",
                    n * t * v
                );
            }
        }
        Ok(())
    }
}

impl Kernel<2> for Gin {
    const NAME: &'static str = "gin";

    fn forward<T: Real>(&self, [x, theta]: [View<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        self.stack.check(&x)?;
        let d = self.stack.width(x.width(), theta.data.len())?;
        let (y, kept) = forward::run(&self.stack, x, theta.data, d);
        let moments = kept.iter().flat_map(layer::Layer::moments).cloned();
        self.moments.get_or_init(|| moments.collect());
        self.saved.put(kept);
        let (n, t, v, _) = x.dims4()?;
        let shape = match &self.stack.ending {
            Ending::Activated => Shape::from((n, t, v, d)),
            Ending::Pooled { .. } => Shape::from((n, t, d)),
            Ending::Mlp { rows } => Shape::from((rows.len(), d)),
        };
        Ok((y, shape))
    }

    fn backward<T: Real>(
        &self,
        [x, theta]: [View<'_, T>; 2],
        _: View<'_, T>,
        grad: View<'_, T>,
        [want_x, _]: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let d = self.stack.width(x.width(), theta.data.len())?;
        let way = backward::Way {
            stack: &self.stack,
            x,
            parameters: params::split(&self.stack, theta.data, x.width(), d),
            kept: self.saved.take::<Vec<layer::Layer<T>>>()?,
            d,
        };
        let (dx, dtheta) = way.run(grad.data, want_x);
        Ok([dx, Some(dtheta)])
    }
}
