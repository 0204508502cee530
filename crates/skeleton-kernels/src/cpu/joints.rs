//! Mixing joints, fused.

use std::sync::Arc;

use candle_core::{Result, Shape, bail};

use crate::cpu::{ArgGradients, BackwardArgs, Kernel, Mixing, Real, View, chunks};
use crate::graph::JointMatrix;
use crate::wide;

/// `M x` in each frame.
pub struct Mix(pub Arc<JointMatrix>);

fn mixed<T: Real>(mixing: &Mixing<T>, x: View<'_, T>) -> Vec<T> {
    let (v, d) = (mixing.joints(), x.width());
    let mut out = vec![T::zero(); x.data.len()];
    chunks::fill_by(&mut out, d, chunks::frames_per_chunk(v) * v, |from, out| {
        let x = x.between(from, from + out.len() / d);
        wide!(mixing.apply(x, out, d));
    });
    out
}

impl Kernel<1> for Mix {
    const NAME: &'static str = "mix_joints";

    fn forward<T: Real>(&self, [x]: [View<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (_, _, v, _) = x.dims4()?;
        if v != self.0.joints() || x.data.is_empty() {
            let joints = self.0.joints();
            bail!(
                "mix_joints: the graph has {joints} joints, x is {:?}",
                x.dims
            );
        }
        let out = mixed(&Mixing::plus(&self.0, T::zero()), x);
        Ok((out, x.dims.into()))
    }

    fn backward<T: Real>(&self, given: BackwardArgs<'_, T, 1>) -> ArgGradients<T, 1> {
        let grad = given.grad;
        Ok([Some(mixed(
            &Mixing::transposed_plus(&self.0, T::zero()),
            grad,
        ))])
    }
}
