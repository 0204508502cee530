//! How a kernel becomes a Candle op: types, contiguity and devices are dealt with here, once, so
//! that a kernel is arithmetic over slices and nothing else.

use std::sync::{Arc, OnceLock};

use candle_core::backend::BackendStorage;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Storage, Tensor,
    bail,
};

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

    /// The gradients of the arguments that are `wanted`, given the result `out` of the forward pass
    /// and the gradient `grad` that flows into it.
    ///
    /// # Errors
    /// None are expected where [`forward`](Self::forward) succeeded.
    fn backward<T: Real>(
        &self,
        args: [View<'_, T>; N],
        out: View<'_, T>,
        grad: View<'_, T>,
        wanted: [bool; N],
    ) -> Result<[Option<Vec<T>>; N]>;
}

/// What a forward pass gives beside its result, such as a batch's statistics: Candle's ops return one tensor.
#[derive(Debug)]
pub struct SideResult<S>(Arc<OnceLock<S>>);

impl<S> Default for SideResult<S> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<S> Clone for SideResult<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> SideResult<S> {
    /// Gives it, once.
    pub fn put(&self, side: S) -> &S {
        self.0.get_or_init(|| side)
    }

    /// What the forward pass gave.
    ///
    /// # Errors
    /// When there was none.
    pub fn get(&self) -> Result<&S> {
        match self.0.get() {
            Some(side) => Ok(side),
            None => bail!("the forward pass gathered no statistics"),
        }
    }
}

struct Op<K>(K);

/// Applies a kernel of one tensor.
///
/// # Errors
/// When the kernel refuses the shapes, or the tensor isn't `f32` or `f64` on the CPU.
pub fn apply1<K: Kernel<1>>(kernel: K, a: &Tensor) -> Result<Tensor> {
    a.contiguous()?.apply_op1(Op(kernel))
}

/// Applies a kernel of two tensors. Errors as [`apply1`].
///
/// # Errors
/// See [`apply1`].
pub fn apply2<K: Kernel<2>>(kernel: K, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.contiguous()?.apply_op2(&b.contiguous()?, Op(kernel))
}

/// Applies a kernel of three tensors. Errors as [`apply1`].
///
/// # Errors
/// See [`apply1`].
pub fn apply3<K: Kernel<3>>(kernel: K, a: &Tensor, b: &Tensor, c: &Tensor) -> Result<Tensor> {
    a.contiguous()?
        .apply_op3(&b.contiguous()?, &c.contiguous()?, Op(kernel))
}

impl<K: Kernel<1>> CustomOp1 for Op<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        forward(&self.0, [(s, l)])
    }

    fn bwd(&self, a: &Tensor, res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        backward(&self.0, [a], res, grad).map(|[a]| a)
    }
}

impl<K: Kernel<2>> CustomOp2 for Op<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        forward(&self.0, [(s1, l1), (s2, l2)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        backward(&self.0, [a, b], res, grad).map(|[a, b]| (a, b))
    }
}

impl<K: Kernel<3>> CustomOp3 for Op<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        forward(&self.0, [(s1, l1), (s2, l2), (s3, l3)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        backward(&self.0, [a, b, c], res, grad).map(|[a, b, c]| (a, b, c))
    }
}

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
    let grads = kernel.backward::<T>(
        views,
        cpu_slice(K::NAME, &res_storage, res_layout)?,
        cpu_slice(K::NAME, &grad_storage, grad_layout)?,
        wanted,
    )?;
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
