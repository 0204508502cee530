//! The floats of the ops.

use candle_core::WithDType;

use crate::cpu::matrix::{Matrix, MatrixMut};
use crate::cpu::prefetch::Prefetch;
#[cfg(target_arch = "x86_64")]
use crate::cpu::tiles;

/// The floats kernels run in: `f32` for work, `f64` for checking gradients by finite differences.
pub trait Real: WithDType + num_traits::Float + num_traits::NumAssignOps + std::iter::Sum {
    /// A constant in this precision.
    #[inline]
    fn real(value: f64) -> Self {
        <Self as WithDType>::from_f64(value)
    }

    /// This number in double precision.
    #[inline]
    fn double(self) -> f64 {
        WithDType::to_f64(self)
    }

    /// [`product`](crate::cpu::product::product) in tiles, where there are some for this float, this machine and these
    /// shapes: says whether it was done.
    #[doc(hidden)]
    #[inline(always)]
    fn tiled(
        _: &mut MatrixMut<'_, Self>,
        _: Matrix<'_, Self>,
        _: Matrix<'_, Self>,
        _: bool,
        _: &mut Prefetch,
    ) -> bool {
        false
    }
}

impl Real for f32 {
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn tiled(
        out: &mut MatrixMut<'_, Self>,
        a: Matrix<'_, Self>,
        b: Matrix<'_, Self>,
        accumulate: bool,
        prefetch: &mut Prefetch,
    ) -> bool {
        tiles::multiply(out, a, b, accumulate, prefetch)
    }
}
impl Real for f64 {}
