//! A stack of GIN layers, fused.
//!
//! What lies in memory between the passes of a layer is what comes out of its two linear maps, z1 and z2. Everything
//! else (neighbour sums, normalised and activated features) is made anew from them, a chunk of frames at a time, in the
//! cache, in the forward and in the backward pass: statistics need all rows, nothing else does. The backward pass
//! writes gradients over z2.

mod backward;
mod forward;
mod saved;

use std::ops::Range;
use std::sync::Arc;

use candle_core::{Result, Shape, Tensor, bail};

use crate::cpu::buffer::SavedForBackward;
use crate::cpu::chunks::frames_per_chunk;
use crate::cpu::kernel::{Kernel, SideResult, View, apply2};
use crate::cpu::moments::Moments;
use crate::cpu::real::Real;
use crate::graph::JointMatrix;
use crate::params::{GinEnd, GinLayer, pack, unpack};
use crate::rows::Readout;
use crate::stats::{BatchStats, Stats};

use saved::Layer;

/// [`gin`](crate::gin()), whose shapes it has checked.
///
/// # Errors
/// When x isn't of `f32` or `f64`.
pub fn apply(
    x: &Tensor,
    layers: &[GinLayer<Tensor>],
    graph: &Arc<JointMatrix>,
    readout: &Readout,
    stats: Stats<'_>,
) -> Result<(Tensor, Vec<BatchStats>)> {
    let given = Moments::given(stats)?;
    let norms = layers.iter().map(|layer| match layer.end {
        GinEnd::Activated(_) => 2,
        GinEnd::Bias(_) => 1,
    });
    let norms: usize = norms.sum();
    if let Some(given) = given.as_ref().map(Vec::len).filter(|&given| given != norms) {
        bail!("gin: statistics of {given} norms for {norms}");
    }
    let by_batch = given.is_none();
    let (theta, places) = pack(&layers.to_vec())?;
    let gathered = SideResult::default();
    let op = Gin {
        stack: Stack {
            graph: graph.clone(),
            readout: readout.clone(),
            places,
            given,
        },
        gathered: gathered.clone(),
        saved: SavedForBackward::default(),
    };
    let y = apply2(op, x, &theta)?;
    let gathered = if by_batch {
        let all: &Vec<Moments> = gathered.get()?;
        all.iter().map(Moments::to_stats).collect::<Result<_>>()?
    } else {
        Vec::new()
    };
    Ok((y, gathered))
}

struct Stack {
    graph: Arc<JointMatrix>,
    readout: Readout,
    places: Vec<GinLayer<Range<usize>>>,
    /// The statistics to go by where they aren't the batch's, of each layer those of its norms.
    given: Option<Vec<Moments>>,
}

impl Stack {
    /// d, features.
    fn width(&self) -> usize {
        self.places[0].first.norm.bias.len()
    }

    fn joints(&self) -> usize {
        self.graph.joints()
    }

    /// Rows of a chunk: those of whole frames.
    fn chunk(&self) -> usize {
        frames_per_chunk(self.joints()) * self.joints()
    }

    /// The given statistics of a layer's first or second norm.
    fn given(&self, layer: usize, norm: usize) -> Option<&Moments> {
        self.given.as_ref().map(|given| &given[2 * layer + norm])
    }
}

struct Gin {
    stack: Stack,
    gathered: SideResult<Vec<Moments>>,
    saved: SavedForBackward,
}

impl Kernel<2> for Gin {
    const NAME: &'static str = "gin";

    fn forward<T: Real>(&self, [x, theta]: [View<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        let parameters = unpack(&self.stack.places, theta.data);
        let (y, saved) = forward::run(&self.stack, x, &parameters);
        if self.stack.given.is_none() {
            let moments = saved.iter().flat_map(Layer::moments).cloned();
            self.gathered.put(moments.collect());
        }
        self.saved.put(saved);
        let (n, t, v, _) = x.dims4()?;
        let d = self.stack.width();
        let shape = match &self.stack.readout {
            Readout::Joints => Shape::from((n, t, v, d)),
            Readout::Pooled(_) => Shape::from((n, t, d)),
            Readout::Rows(rows) => Shape::from((rows.len(), y.len() / rows.len().max(1))),
        };
        Ok((y, shape))
    }

    fn backward<T: Real>(
        &self,
        [x, theta]: [View<'_, T>; 2],
        _: View<'_, T>,
        grad: View<'_, T>,
        wanted: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let backward = backward::Backward {
            stack: &self.stack,
            x,
            parameters: unpack(&self.stack.places, theta.data),
            saved: self.saved.take::<Vec<Layer<T>>>()?,
            wanted,
        };
        let (dx, dtheta) = backward.run(grad.data);
        Ok([dx, Some(dtheta)])
    }
}
