//! The branches over time, fused: written side by side.
//!
//! What lies in memory between the passes is what comes out of the branches' first maps (z), out of the
//! branches (c) and out of the residual's map (q), each in front of a norm. Tracks are the chunks.

mod backward;
pub mod forward;
pub mod window;

use std::ops::Range;

use candle_core::{Result, Shape, Tensor};

use crate::branches::Branches;
use crate::cpu::{
    ArgGradients, BackwardArgs, Kernel, Moments, Real, SavedForBackward, SideResult, View, apply2,
};
use crate::params::{TemporalWeights, pack, unpack};
use crate::stats::BatchStats;

use forward::{Pass, Saved, Shapes};

/// [`temporal`](crate::temporal()) by the batch's statistics; its shapes are checked.
///
/// # Errors
/// When x isn't of `f32` or `f64`.
pub fn apply(
    x: &Tensor,
    parameters: &TemporalWeights<Tensor>,
    branches: &Branches,
) -> Result<(Tensor, Vec<BatchStats>)> {
    let (theta, places) = pack(parameters)?;
    let gathered = SideResult::default();
    let op = Temporal {
        branches: branches.clone(),
        places,
        gathered: gathered.clone(),
        saved: SavedForBackward::default(),
    };
    let y = apply2(op, x, &theta)?;
    Ok((y, Moments::gathered(&gathered)?))
}

struct Temporal {
    branches: Branches,
    places: TemporalWeights<Range<usize>>,
    gathered: SideResult<Vec<Moments>>,
    saved: SavedForBackward,
}

impl Kernel<2> for Temporal {
    const NAME: &'static str = "temporal";

    fn forward<T: Real>(&self, [x, theta]: [View<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        let shapes = Shapes::of(&self.branches, x.dims4()?);
        let parameters = unpack(&self.places, theta.data);
        let pass = Pass::new(&self.branches, shapes, &parameters);
        let (y, saved, moments) = pass.run(x.data);
        self.gathered.get_or_init(|| moments);
        self.saved.put(saved);
        let Shapes { n, t_out, v, d, .. } = shapes;
        Ok((y, (n, t_out, v, d).into()))
    }

    fn backward<T: Real>(&self, given: BackwardArgs<'_, T, 2>) -> ArgGradients<T, 2> {
        let ([x, theta], y, grad) = (given.args, given.out, given.grad);
        let shapes = Shapes::of(&self.branches, x.dims4()?);
        let parameters = unpack(&self.places, theta.data);
        let saved = self.saved.take::<Saved<T>>()?;
        let backward = backward::Backward {
            pass: &Pass::new(&self.branches, shapes, &parameters),
            x: x.data,
            y: y.data,
            grad: grad.data,
            saved: &saved,
        };
        let (dx, dtheta) = backward.run();
        Ok([Some(dx), Some(dtheta)])
    }
}
