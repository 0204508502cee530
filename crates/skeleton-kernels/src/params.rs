//! The parameters of the ops by name, and how they become the one flat tensor that a fused form takes: Candle's custom
//! ops have three arguments at most.
//!
//! A structure holds tensors, places in the flat tensor, slices or gradients alike. [`Named::map`] goes through it in
//! its one order, so that packing, unpacking and the order of gradients can't differ. Biases in front of norms cancel
//! and are not among the parameters.

use std::ops::Range;

use candle_core::{Result, Tensor, bail};

use crate::branches::Branches;

/// A structure of parameters.
pub trait Named<P> {
    /// The same of something else.
    type Of<Q>;

    /// `f` of each parameter, in order.
    fn map<'s, Q>(&'s self, f: &mut dyn FnMut(&'s P) -> Q) -> Self::Of<Q>
    where
        P: 's;
}

impl<P, S: Named<P>> Named<P> for Vec<S> {
    type Of<Q> = Vec<S::Of<Q>>;

    fn map<'s, Q>(&'s self, f: &mut dyn FnMut(&'s P) -> Q) -> Self::Of<Q>
    where
        P: 's,
    {
        self.iter().map(|each| each.map(f)).collect()
    }
}

/// Implements [`Named`]: fields that are parameters, then fields that are structures.
macro_rules! named {
    ($name:ident: $($leaf:ident),*; $($inner:ident),*) => {
        impl<P> Named<P> for $name<P> {
            type Of<Q> = $name<Q>;

            fn map<'s, Q>(&'s self, f: &mut dyn FnMut(&'s P) -> Q) -> $name<Q>
            where
                P: 's,
            {
                $name {
                    $($leaf: f(&self.$leaf),)*
                    $($inner: self.$inner.map(f),)*
                }
            }
        }
    };
}

/// Of a norm: `z^ weight + bias`.
#[derive(Clone, Debug)]
pub struct Affine<P> {
    /// (d).
    pub weight: P,
    /// (d).
    pub bias: P,
}

named!(Affine: weight, bias;);

/// A norm and PReLU.
#[derive(Clone, Debug)]
pub struct Activation<P> {
    /// The norm's.
    pub norm: Affine<P>,
    /// PReLU's, (1).
    pub slope: P,
}

named!(Activation: slope; norm);

/// A map and the norm behind it.
#[derive(Clone, Debug)]
pub struct NormedMap<P> {
    /// (`d_out`, `d_in`).
    pub weight: P,
    /// (`d_out`).
    pub norm: Affine<P>,
}

named!(NormedMap: weight; norm);

/// Of a GIN layer: `h = end(W2 ReLU(norm1(W1 ((1 + eps) x + sum of the neighbours' x))))`.
#[derive(Clone, Debug)]
pub struct GinLayer<P> {
    /// (1).
    pub eps: P,
    /// W1 (d, c) and the norm behind it.
    pub first: NormedMap<P>,
    /// W2, (`d_out`, d).
    pub second: P,
    /// What follows.
    pub end: GinEnd<P>,
}

named!(GinLayer: eps, second; first, end);

/// What ends a GIN layer.
#[derive(Clone, Debug)]
pub enum GinEnd<P> {
    /// In the encoder: `BatchNorm` and PReLU.
    Activated(Activation<P>),
    /// In the decoder: the bias of its last map, (`d_out`).
    Bias(P),
}

impl<P> Named<P> for GinEnd<P> {
    type Of<Q> = GinEnd<Q>;

    fn map<'s, Q>(&'s self, f: &mut dyn FnMut(&'s P) -> Q) -> GinEnd<Q>
    where
        P: 's,
    {
        match self {
            Self::Activated(own) => GinEnd::Activated(own.map(f)),
            Self::Bias(bias) => GinEnd::Bias(f(bias)),
        }
    }
}

/// Of the embedding with positions: `s W^T + b + P_t`.
#[derive(Clone, Debug)]
pub struct Embedding<P> {
    /// W, (d, c).
    pub weight: P,
    /// b, (d).
    pub bias: P,
    /// P, (t, d).
    pub position: P,
}

named!(Embedding: weight, bias, position;);

/// Of equations 3 and 4: W and the residual's map, each with the norm behind it.
#[derive(Clone, Debug)]
pub struct SpatialWeights<P> {
    /// W (d, d).
    pub w: NormedMap<P>,
    /// (d, d).
    pub residual: NormedMap<P>,
}

named!(SpatialWeights: ; w, residual);

/// Of the branches over time. The branches' parameters stand side by side: one branch's outputs after the other's.
#[derive(Clone, Debug)]
pub struct TemporalWeights<P> {
    /// The first maps of the branches that have one (all but the point), (reduced, d), and their norm.
    pub reduce: NormedMap<P>,
    /// A convolution a dilation, (kernel, part, part): tap, output, input.
    pub convolutions: Vec<P>,
    /// The branch of a map alone, (part, d).
    pub point: P,
    /// The norm behind all branches, (d).
    pub norm: Affine<P>,
    /// For a stride above 1, the residual's map (d, d).
    pub residual: Option<NormedMap<P>>,
}

impl<P> Named<P> for TemporalWeights<P> {
    type Of<Q> = TemporalWeights<Q>;

    fn map<'s, Q>(&'s self, f: &mut dyn FnMut(&'s P) -> Q) -> TemporalWeights<Q>
    where
        P: 's,
    {
        TemporalWeights {
            reduce: self.reduce.map(f),
            convolutions: self.convolutions.iter().map(&mut *f).collect(),
            point: f(&self.point),
            norm: self.norm.map(f),
            residual: self.residual.as_ref().map(|own| own.map(f)),
        }
    }
}

impl Affine<Vec<usize>> {
    fn shapes(d: usize) -> Self {
        Self {
            weight: vec![d],
            bias: vec![d],
        }
    }
}

impl Activation<Vec<usize>> {
    /// Behind d features.
    pub fn shapes(d: usize) -> Self {
        Self {
            norm: Affine::<Vec<usize>>::shapes(d),
            slope: vec![1],
        }
    }
}

impl NormedMap<Vec<usize>> {
    fn shapes(d_in: usize, d_out: usize) -> Self {
        Self {
            weight: vec![d_out, d_in],
            norm: Affine::<Vec<usize>>::shapes(d_out),
        }
    }
}

impl GinLayer<Vec<usize>> {
    /// Of a layer of width d that reads c features; `ends_in` numbers behind its second map, or, in the encoder, a norm and
    /// PReLU.
    pub fn shapes(c: usize, d: usize, ends_in: Option<usize>) -> Self {
        Self {
            eps: vec![1],
            first: NormedMap::<Vec<usize>>::shapes(c, d),
            second: vec![ends_in.unwrap_or(d), d],
            end: match ends_in {
                Some(d_out) => GinEnd::Bias(vec![d_out]),
                None => GinEnd::Activated(Activation::<Vec<usize>>::shapes(d)),
            },
        }
    }
}

impl Embedding<Vec<usize>> {
    /// Of c coordinates and t frames to d features.
    pub fn shapes(c: usize, d: usize, t: usize) -> Self {
        Self {
            weight: vec![d, c],
            bias: vec![d],
            position: vec![t, d],
        }
    }
}

impl SpatialWeights<Vec<usize>> {
    /// Of width d.
    pub fn shapes(d: usize) -> Self {
        Self {
            w: NormedMap::<Vec<usize>>::shapes(d, d),
            residual: NormedMap::<Vec<usize>>::shapes(d, d),
        }
    }
}

impl TemporalWeights<Vec<usize>> {
    /// Of width d.
    pub fn shapes(branches: &Branches, d: usize) -> Self {
        let (part, reduced) = (branches.part(d), branches.reduced(d));
        Self {
            reduce: NormedMap::<Vec<usize>>::shapes(d, reduced),
            convolutions: vec![vec![branches.kernel, part, part]; branches.dilations.len()],
            point: vec![part, d],
            norm: Affine::<Vec<usize>>::shapes(d),
            residual: (branches.stride > 1).then(|| NormedMap::<Vec<usize>>::shapes(d, d)),
        }
    }
}

/// Refuses parameters of other shapes.
pub(crate) fn check<S, E>(op: &str, parameters: &S, expected: &E) -> Result<()>
where
    S: Named<Tensor>,
    E: Named<Vec<usize>>,
{
    let (mut found, mut shapes) = (Vec::new(), Vec::new());
    parameters.map(&mut |tensor: &Tensor| found.push(tensor.dims().to_vec()));
    expected.map(&mut |dims: &Vec<usize>| shapes.push(dims.clone()));
    if found == shapes {
        return Ok(());
    }
    bail!("{op}: parameters of shapes {shapes:?} expected, found {found:?}")
}

/// All parameters in one flat tensor, and where in it each lies.
pub(crate) fn pack<S: Named<Tensor>>(parameters: &S) -> Result<(Tensor, S::Of<Range<usize>>)> {
    let (mut flat, mut end) = (Vec::new(), 0);
    let places = parameters.map(&mut |tensor: &Tensor| {
        let start = end;
        end += tensor.elem_count();
        flat.push(tensor.flatten_all());
        start..end
    });
    let flat = flat.into_iter().collect::<Result<Vec<_>>>()?;
    Ok((Tensor::cat(&flat, 0)?, places))
}

/// The parameters in the numbers `theta` of the flat tensor.
pub(crate) fn unpack<'a, T, S: Named<Range<usize>>>(places: &S, theta: &'a [T]) -> S::Of<&'a [T]> {
    places.map(&mut |place: &Range<usize>| &theta[place.clone()])
}

/// Gradients in the order of [`pack`].
pub(crate) fn flatten<T: Copy, S: Named<Vec<T>>>(gradients: &S) -> Vec<T> {
    let mut flat = Vec::new();
    gradients.map(&mut |own: &Vec<T>| flat.extend_from_slice(own));
    flat
}

/// Numbers as slices.
pub(crate) fn slices<'s, T, S: Named<Vec<T>>>(numbers: &'s S) -> S::Of<&'s [T]> {
    numbers.map(&mut |own: &'s Vec<T>| &own[..])
}

/// The numbers of each parameter.
pub(crate) fn numbers<T: candle_core::WithDType, S: Named<Tensor>>(
    parameters: &S,
) -> Result<S::Of<Vec<T>>> {
    let mut failed = Ok(());
    let numbers = parameters.map(&mut |tensor: &Tensor| {
        crate::host::read(tensor).unwrap_or_else(|error| {
            failed = Err(error);
            Vec::new()
        })
    });
    failed.map(|()| numbers)
}
