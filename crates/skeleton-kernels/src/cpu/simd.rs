//! The widest vectors the machine has, chosen at run time: a binary built for any x86-64 uses AVX2 or
//! AVX-512 where they are, and the same loops compile to the portable path elsewhere.

use std::sync::atomic::{AtomicBool, Ordering};

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
    arch().dispatch(Body(body))
}

/// Evaluates an expression compiled for the machine's vectors. What it calls takes part where it is inlined
/// into it: hence `#[inline(always)]` on the loops of this crate. Loops compiled so keep the order of their
/// additions and fuse none, so the choice doesn't change their results; that of products may.
#[doc(hidden)]
#[macro_export]
macro_rules! wide {
    ($body:expr) => {
        $crate::cpu::simd::run(
            #[inline(always)]
            || $body,
        )
    };
}

static PORTABLE: AtomicBool = AtomicBool::new(false);

/// Whether this process is to do without the machine's vectors from now on. For tests of the path that
/// other machines take; the products of `gemm` choose for themselves and aren't touched.
#[doc(hidden)]
pub fn stay_portable(portable: bool) {
    PORTABLE.store(portable, Ordering::Relaxed);
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn arch() -> Arch {
    if PORTABLE.load(Ordering::Relaxed) {
        Arch::Scalar
    } else {
        Arch::new()
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn arch() -> Arch {
    Arch::new()
}

/// What was chosen.
#[derive(Clone, Copy, Debug)]
pub enum Vectors {
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4),
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

#[inline(always)]
pub fn vectors() -> Vectors {
    #[cfg(target_arch = "x86_64")]
    match arch() {
        Arch::V4(simd) => return Vectors::Avx512(simd),
        Arch::V3(_) => return Vectors::Avx2,
        _ => {}
    }
    Vectors::Portable
}

/// The instruction set that was chosen, as runs record it: "avx512f", "avx2+fma" or "portable".
pub fn instruction_set() -> &'static str {
    match vectors() {
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512(_) => "avx512f",
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx2 => "avx2+fma",
        Vectors::Portable => "portable",
    }
}
