//! The widest vectors the machine has, chosen at run time: a binary built for any x86-64 uses AVX2 or
//! AVX-512 where they are, and the same loops compile to the portable path elsewhere.

use pulp::{Arch, Simd, WithSimd};

struct Body<F>(F);

impl<R, F: FnOnce() -> R> WithSimd for Body<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> R {
        (self.0)()
    }
}

/// Runs `body` compiled for the machine's vectors; [`wide!`](crate::wide) calls it.
#[doc(hidden)]
#[inline(always)]
pub fn run<R>(body: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(Body(body))
}

/// Evaluates an expression compiled for the machine's vectors. What it calls takes part where it is inlined
/// into it: hence `#[inline(always)]` on the loops of this crate. Loops compiled so keep the order of their
/// additions and fuse none, so the choice doesn't change their results; that of `gemm` may.
#[macro_export]
macro_rules! wide {
    ($body:expr) => {
        $crate::ops::wide::run(
            #[inline(always)]
            || $body,
        )
    };
}

/// The instruction set that was chosen: "AVX-512", "AVX2" or "portable".
pub fn instruction_set() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    match Arch::new() {
        Arch::V4(_) => return "AVX-512",
        Arch::V3(_) => return "AVX2",
        _ => {}
    }
    "portable"
}
