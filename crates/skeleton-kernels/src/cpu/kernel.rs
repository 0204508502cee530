//! How a kernel becomes a Candle op: types, contiguity and devices are dealt with here, once, so
//! that a kernel is arithmetic over slices and nothing else.

use std::sync::{Arc, OnceLock};

use candle_core::backend::BackendStorage;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Storage, Tensor,
    bail,
};

use crate::cpu::matrix::Matrix;
use crate::cpu::real::Real;

/// A contiguous tensor as a kernel sees it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T> {
    /// The numbers, row-major.
    pub data: &'a [T],
    /// The extent of each axis.
    pub dims: &'a [usize],
}

impl<'a, T> View<'a, T> {
    /// The extent of the last axis.
    pub fn width(&self) -> usize {
        self.dims.last().copied().unwrap_or(1)
    }

    /// How many rows of the last axis' width there are.
    pub fn rows(&self) -> usize {
        self.data.len() / self.width().max(1)
    }

    /// Rows `from..to` as one slice.
    pub fn between(&self, from: usize, to: usize) -> &'a [T] {
        &self.data[from * self.width()..to * self.width()]
    }

    /// Rows `from..to` as a matrix.
    pub fn matrix(&self, from: usize, to: usize) -> Matrix<'a, T> {
        Matrix::new(self.between(from, to), to - from, self.width())
    }

    /// (n, t, v, d) of a feature tensor.
    ///
    /// # Errors
    /// When the tensor doesn't have four axes.
    pub fn dims4(&self) -> Result<(usize, usize, usize, usize)> {
        match *self.dims {
            [n, t, v, d] => Ok((n, t, v, d)),
            _ => bail!("expected (n, t, v, d), found {:?}", self.dims),
        }
    }
}

/// What the backward pass of an op of `N` tensors is given.
#[derive(Clone, Copy, Debug)]
pub struct BackwardArgs<'a, T, const N: usize> {
    /// The op's arguments.
    pub args: [View<'a, T>; N],
    /// Its result.
    pub out: View<'a, T>,
    /// The gradient of the result.
    pub grad: View<'a, T>,
    /// Of which arguments a gradient is wanted.
    pub wanted: [bool; N],
}

/// The gradients of the arguments, where wanted.
pub type ArgGradients<T, const N: usize> = Result<[Option<Vec<T>>; N]>;

/// An op of `N` tensors with a hand-written backward pass. It is generic over the float, so that the
/// same code that trains in `f32` is checked by finite differences in `f64`.
pub trait Kernel<const N: usize>: Send + Sync + 'static {
    /// Name in error messages.
    const NAME: &'static str;

    /// The result and its shape.
    ///
    /// # Errors
    /// When the shapes of the arguments don't fit together.
    fn forward<T: Real>(&self, args: [View<'_, T>; N]) -> Result<(Vec<T>, Shape)>;

    /// The gradients of the arguments.
    ///
    /// # Errors
    /// When there was a backward pass before, and it has overwritten what the forward pass saved.
    fn backward<T: Real>(&self, given: BackwardArgs<'_, T, N>) -> ArgGradients<T, N>;
}

/// What a forward pass gives beside its result, the statistics it went by: Candle's ops return one tensor.
pub type SideResult<S> = Arc<OnceLock<S>>;

struct Op<K>(K);

/// Candle's op of so many tensors, and the function that applies a kernel of as many.
macro_rules! op {
    ($n:literal, $op:ident, $apply:ident, $apply_op:ident, $a:ident $la:ident $(, $b:ident $lb:ident)*) => {
        /// Applies a kernel.
        ///
        /// # Errors
        /// When the kernel refuses the shapes, or a tensor isn't `f32` or `f64` on the CPU.
        pub fn $apply<K: Kernel<$n>>(kernel: K, $a: &Tensor $(, $b: &Tensor)*) -> Result<Tensor> {
            $a.contiguous()?.$apply_op($(&$b.contiguous()?,)* Op(kernel))
        }

        impl<K: Kernel<$n>> $op for Op<K> {
            fn name(&self) -> &'static str {
                K::NAME
            }

            fn cpu_fwd(
                &self,
                $a: &CpuStorage,
                $la: &Layout,
                $($b: &CpuStorage, $lb: &Layout,)*
            ) -> Result<(CpuStorage, Shape)> {
                forward(&self.0, [($a, $la) $(, ($b, $lb))*])
            }

            fn bwd(
                &self,
                $a: &Tensor,
                $($b: &Tensor,)*
                res: &Tensor,
                grad: &Tensor,
            ) -> Result<op!(@gradients $a $($b)*)> {
                backward(&self.0, [$a $(, $b)*], res, grad).map(|[$a $(, $b)*]| ($a $(, $b)*))
            }
        }
    };
    (@gradients $a:ident) => { Option<Tensor> };
    (@gradients $a:ident $b:ident) => { (Option<Tensor>, Option<Tensor>) };
    (@gradients $a:ident $b:ident $c:ident) => { (Option<Tensor>, Option<Tensor>, Option<Tensor>) };
}

op!(1, CustomOp1, apply1, apply_op1, a la);
op!(2, CustomOp2, apply2, apply_op2, a la, b lb);
op!(3, CustomOp3, apply3, apply_op3, a la, b lb, c lc);

fn forward<K: Kernel<N>, const N: usize>(
    kernel: &K,
    args: [(&CpuStorage, &Layout); N],
) -> Result<(CpuStorage, Shape)> {
    match args[0].0.dtype() {
        DType::F32 => forward_as::<f32, K, N>(kernel, args),
        DType::F64 => forward_as::<f64, K, N>(kernel, args),
        other => bail!("{} runs in f32 and f64, found {other:?}", K::NAME),
    }
}

fn forward_as<T: Real, K: Kernel<N>, const N: usize>(
    kernel: &K,
    args: [(&CpuStorage, &Layout); N],
) -> Result<(CpuStorage, Shape)> {
    let mut views = [View {
        data: &[][..],
        dims: &[][..],
    }; N];
    for (view, (storage, layout)) in views.iter_mut().zip(args) {
        *view = slice::<T>(K::NAME, storage, layout)?;
    }
    let (out, shape) = kernel.forward::<T>(views)?;
    Ok((T::to_cpu_storage_owned(out), shape))
}

fn backward<K: Kernel<N>, const N: usize>(
    kernel: &K,
    args: [&Tensor; N],
    res: &Tensor,
    grad: &Tensor,
) -> Result<[Option<Tensor>; N]> {
    match res.dtype() {
        DType::F32 => backward_as::<f32, K, N>(kernel, args, res, grad),
        DType::F64 => backward_as::<f64, K, N>(kernel, args, res, grad),
        other => bail!("{} runs in f32 and f64, found {other:?}", K::NAME),
    }
}

fn backward_as<T: Real, K: Kernel<N>, const N: usize>(
    kernel: &K,
    args: [&Tensor; N],
    res: &Tensor,
    grad: &Tensor,
) -> Result<[Option<Tensor>; N]> {
    let grad = grad.contiguous()?;
    // A tensor that is no variable and came from no op can't lead to one: its gradient is left out.
    let wanted = args.map(Tensor::track_op);
    let held = args.map(Tensor::storage_and_layout);
    let mut views = [View {
        data: &[][..],
        dims: &[][..],
    }; N];
    for (view, (storage, layout)) in views.iter_mut().zip(&held) {
        *view = cpu_slice::<T>(K::NAME, storage, layout)?;
    }
    let (res_storage, res_layout) = res.storage_and_layout();
    let (grad_storage, grad_layout) = grad.storage_and_layout();
    let grads = kernel.backward::<T>(BackwardArgs {
        args: views,
        out: cpu_slice(K::NAME, &res_storage, res_layout)?,
        grad: cpu_slice(K::NAME, &grad_storage, grad_layout)?,
        wanted,
    })?;
    let mut out = [const { None }; N];
    for ((slot, grad), arg) in out.iter_mut().zip(grads).zip(args) {
        *slot = match grad {
            Some(values) => Some(Tensor::from_vec(values, arg.shape(), arg.device())?),
            None => None,
        };
    }
    Ok(out)
}

fn cpu_slice<'a, T: Real>(
    name: &str,
    storage: &'a Storage,
    layout: &'a Layout,
) -> Result<View<'a, T>> {
    match storage {
        Storage::Cpu(storage) => slice(name, storage, layout),
        _ => bail!("{name} has no kernel for this device"),
    }
}

fn slice<'a, T: Real>(
    name: &str,
    storage: &'a CpuStorage,
    layout: &'a Layout,
) -> Result<View<'a, T>> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("{name} needs contiguous tensors, found {layout:?}");
    };
    let data = &T::cpu_storage_as_slice(storage)?[start..end];
    let dims = layout.dims();
    Ok(View { data, dims })
}
