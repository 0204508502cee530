//! What ends a layer of an encoder: `BatchNorm` and PReLU, after which joints may be summed up.

use candle_core::{Result, Tensor, bail};

use crate::cpu;
use crate::params::{Activation, check, pack};
use crate::plain::{fused_on_cpu, prelu};
use crate::rows::Readout;
use crate::stats::{BatchStats, Norms, Stats};

/// `PReLU(norm(z))` of z (n, t, v, d), with the batch's statistics where it went by them. The result has z's shape, or,
/// with a factor `pooled`, is that factor times the sum over joints, (n, t, d).
///
/// # Errors
/// When the shapes don't fit.
pub fn norm_prelu(
    z: &Tensor,
    parameters: &Activation<Tensor>,
    pooled: Option<f64>,
    stats: Stats<'_>,
) -> Result<(Tensor, Vec<BatchStats>)> {
    check("norm_prelu", parameters, &Activation::shapes(z.dims4()?.3))?;
    if fused_on_cpu(z) {
        fused(z, parameters, pooled, stats)
    } else {
        reference(z, parameters, pooled, stats)
    }
}

fn fused(
    z: &Tensor,
    parameters: &Activation<Tensor>,
    pooled: Option<f64>,
    stats: Stats<'_>,
) -> Result<(Tensor, Vec<BatchStats>)> {
    let given = match stats {
        Stats::Batch => None,
        Stats::Running([one]) => Some(cpu::Moments::of_stats(one)?),
        Stats::Running(_) => bail!("norm_prelu: statistics of one norm expected"),
    };
    let (theta, places) = pack(parameters)?;
    let used = cpu::SideResult::default();
    let by_batch = given.is_none();
    let op = cpu::norm_prelu::NormPrelu {
        places,
        pooled,
        given,
        used: used.clone(),
    };
    let y = cpu::apply2(op, z, &theta)?;
    let gathered = if by_batch {
        cpu::Moments::gathered(&used)?
    } else {
        Vec::new()
    };
    Ok((y, gathered))
}

/// The definition of [`norm_prelu`].
///
/// # Errors
/// When the shapes don't fit.
pub fn reference(
    z: &Tensor,
    parameters: &Activation<Tensor>,
    pooled: Option<f64>,
    stats: Stats<'_>,
) -> Result<(Tensor, Vec<BatchStats>)> {
    let mut norms = Norms::new(stats);
    let y = prelu(&norms.apply(z, &parameters.norm)?, &parameters.slope)?;
    let y = pooled.map_or(Readout::Joints, Readout::Pooled).of(&y)?;
    Ok((y, norms.gathered))
}
