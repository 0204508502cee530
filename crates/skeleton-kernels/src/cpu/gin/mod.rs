//! A stack of GIN layers, fused.
//!
//! What lies in memory between the passes of a layer is what comes out of its two linear maps, z1 and z2. Everything
//! else (neighbour sums, normalised and activated features) is made anew from them, a chunk of frames at a time, in the
//! cache, in the forward and in the backward pass: statistics need all rows, nothing else does. The backward pass
//! writes gradients over z2.

mod backward;

use std::ops::Range;
use std::sync::Arc;

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::cpu::{
    ArgGradients, BackwardArgs, Buffer, Kernel, Matrix, MatrixMut, Mixing, Moments, Norm, Prefetch,
    Real, SavedForBackward, SideResult, Sums, Uninit, View, add_product, apply2, chunks,
    sum_joints, transpose,
};
use crate::graph::JointMatrix;
use crate::params::{GinEnd, GinLayer, pack, unpack};
use crate::rows::Readout;
use crate::stats::{BatchStats, Stats};
use crate::wide;

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
        Moments::gathered(&gathered)?
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
        chunks::frames_per_chunk(self.joints()) * self.joints()
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
        let (y, saved) = run(&self.stack, x, &parameters);
        if self.stack.given.is_none() {
            let moments = saved.iter().flat_map(Layer::moments).cloned();
            self.gathered.get_or_init(|| moments.collect());
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

    fn backward<T: Real>(&self, given: BackwardArgs<'_, T, 2>) -> ArgGradients<T, 2> {
        let ([x, theta], grad, wanted) = (given.args, given.grad, given.wanted);
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

/// The stack's result, row-major, and what its layers save.
fn run<T: Real>(
    stack: &Stack,
    x: View<'_, T>,
    parameters: &[GinLayer<&[T]>],
) -> (Vec<T>, Vec<Layer<T>>) {
    let (rows, d) = (x.rows(), stack.width());
    let mut saved: Vec<Layer<T>> = Vec::with_capacity(parameters.len());
    for (i, p) in parameters.iter().enumerate() {
        let source = match saved.last() {
            None => Source::Input(x),
            Some(layer) => Source::Layer(layer, d),
        };
        let layer = Pass { stack, i, rows, d }.layer(source, p);
        saved.push(layer);
    }
    let i = parameters.len() - 1;
    let y = Pass { stack, i, rows, d }.result(&saved[i], &parameters[i]);
    (y, saved)
}

/// Of layer `i`.
struct Pass<'a> {
    stack: &'a Stack,
    i: usize,
    rows: usize,
    d: usize,
}

impl Pass<'_> {
    fn layer<T: Real>(&self, source: Source<'_, T>, p: &GinLayer<&[T]>) -> Layer<T> {
        let (z1, moments1) = self.first(source, p);
        let norm1 = Norm::new(&moments1, &p.first.norm);
        let end = match &p.end {
            GinEnd::Bias(_) => None,
            GinEnd::Activated(own) => {
                let (z2, moments2) = self.second(&z1, &norm1, p.second);
                Some(Activated {
                    z2,
                    norm2: Norm::new(&moments2, &own.norm),
                    moments2,
                    slope: own.slope[0],
                })
            }
        };
        Layer {
            z1,
            norm1,
            moments1,
            end,
        }
    }

    /// Sums of a chunk, where the batch's statistics are wanted.
    #[inline(always)]
    fn sums<T: Real>(&self, z: &[T]) -> Option<Sums<T>> {
        let by_batch = self.stack.given.is_none();
        by_batch.then(|| wide!(Sums::of(z, self.d)))
    }

    fn moments<T: Real>(&self, norm: usize, sums: Vec<Option<Sums<T>>>) -> Moments {
        match self.stack.given(self.i, norm) {
            Some(given) => given.clone(),
            None => Moments::combine(&sums.into_iter().flatten().collect::<Vec<_>>()),
        }
    }

    /// z1 = ((1 + eps) x + sum of the neighbours' x) W1^T.
    fn first<T: Real>(&self, source: Source<'_, T>, p: &GinLayer<&[T]>) -> (Buffer<T>, Moments) {
        let (d, c, chunk) = (self.d, source.width(), self.stack.chunk());
        let v = self.stack.joints();
        let mixing = Mixing::plus(&self.stack.graph, T::one() + p.eps[0]);
        let weight = transpose(p.first.weight, c);
        let weight = Matrix::new(&weight, c, d);
        let mut z = Buffer::new(self.rows * d);
        let sums = z.par_chunks_mut(chunk * d).enumerate().map_init(
            || [vec![T::zero(); v * c], vec![T::zero(); chunk * c]],
            |[x, mixed], (i, z)| {
                let n = z.len() / d;
                let mixed = &mut mixed[..n * c];
                wide!({
                    // Frame by frame, so that a frame's features are mixed while they are near.
                    for (k, mixed) in mixed.chunks_exact_mut(v * c).enumerate() {
                        mixing.apply(source.rows(i * chunk + k * v, v, x), mixed, c);
                    }
                });
                let mut prefetch = Prefetch::after(&[source.memory(i * chunk, n), z]);
                prefetch.product(MatrixMut::new(z, n, d), Matrix::new(mixed, n, c), weight);
                self.sums(z)
            },
        );
        let moments = self.moments(0, sums.collect());
        (z, moments)
    }

    /// z2 = ReLU(norm(z1)) W2^T.
    fn second<T: Real>(&self, z1: &[T], norm: &Norm<T>, weight: &[T]) -> (Buffer<T>, Moments) {
        let (d, chunk) = (self.d, self.stack.chunk());
        let weight = transpose(weight, d);
        let weight = Matrix::new(&weight, d, d);
        let mut z = Buffer::new(self.rows * d);
        let sums = z
            .par_chunks_mut(chunk * d)
            .zip(z1.par_chunks(chunk * d))
            .map_init(
                || vec![T::zero(); chunk * d],
                |scratch, (z, z1)| {
                    let (n, a) = (z.len() / d, &mut scratch[..z.len()]);
                    wide!(norm.relu(z1, a));
                    let mut prefetch = Prefetch::after(&[z1, z]);
                    let (z_rows, a) = (MatrixMut::new(z, n, d), Matrix::new(a, n, d));
                    prefetch.product(z_rows, a, weight);
                    self.sums(z)
                },
            );
        let moments = self.moments(1, sums.collect());
        (z, moments)
    }

    fn result<T: Real>(&self, last: &Layer<T>, p: &GinLayer<&[T]>) -> Vec<T> {
        let (d, chunk, v) = (self.d, self.stack.chunk(), self.stack.joints());
        match (&self.stack.readout, &p.end) {
            (Readout::Rows(rows), GinEnd::Bias(bias)) => {
                let d_out = bias.len();
                let weight = transpose(p.second, d);
                let mut y = vec![T::zero(); rows.len() * d_out];
                y.par_chunks_mut(chunk * d_out)
                    .zip(rows.par_chunks(chunk))
                    .for_each(|(y, rows)| {
                        let n = rows.len();
                        let mut a = vec![T::zero(); n * d];
                        wide!(last.gather_relu(rows, &mut a));
                        y.chunks_exact_mut(d_out)
                            .for_each(|y| y.copy_from_slice(bias));
                        let (a, weight) = (Matrix::new(&a, n, d), Matrix::new(&weight, d, d_out));
                        add_product(MatrixMut::new(y, n, d_out), a, weight);
                    });
                y
            }
            (Readout::Pooled(factor), _) => {
                let (frames, factor) = (chunk / v, T::real(*factor));
                let mut y = vec![T::zero(); self.rows / v * d];
                y.par_chunks_mut(frames * d).enumerate().for_each_init(
                    || vec![T::zero(); chunk * d],
                    |scratch, (i, y)| {
                        let scratch = &mut scratch[..y.len() * v];
                        wide!({
                            last.activated(i * chunk, scratch);
                            sum_joints(scratch, y, v, d, factor);
                        });
                    },
                );
                y
            }
            _ => {
                let mut y = Uninit::new(self.rows * d);
                y.chunks(chunk * d)
                    .enumerate()
                    .for_each(|(i, y)| wide!(last.activated(i * chunk, y)));
                y.finish()
            }
        }
    }
}

/// Of one layer.
pub struct Layer<T: Real> {
    /// (rows, d), behind the first map.
    pub z1: Buffer<T>,
    pub norm1: Norm<T>,
    pub moments1: Moments,
    /// Where the layer ends with a norm and PReLU.
    pub end: Option<Activated<T>>,
}

pub struct Activated<T: Real> {
    /// (rows, d), behind the second map.
    pub z2: Buffer<T>,
    pub norm2: Norm<T>,
    pub moments2: Moments,
    pub slope: T,
}

impl<T: Real> Layer<T> {
    pub fn moments(&self) -> impl Iterator<Item = &Moments> {
        std::iter::once(&self.moments1).chain(self.end.as_ref().map(|end| &end.moments2))
    }

    /// Some rows of the layer's result.
    #[inline(always)]
    pub fn activated(&self, from: usize, out: &mut [T]) {
        if let Some(Activated {
            z2, norm2, slope, ..
        }) = &self.end
        {
            let at = from * norm2.width();
            norm2.prelu(*slope, &z2[at..at + out.len()], out);
        }
    }

    /// Some rows of ReLU(norm(z1)), one after the other.
    #[inline(always)]
    pub fn gather_relu(&self, rows: &[u32], out: &mut [T]) {
        let d = self.norm1.width();
        for (out, &row) in out.chunks_exact_mut(d).zip(rows) {
            let at = row as usize * d;
            self.norm1.relu(&self.z1[at..at + d], out);
        }
    }
}

/// What a layer's rows come from: the stack's input, or the layer before.
#[derive(Clone, Copy)]
pub enum Source<'a, T: Real> {
    Input(View<'a, T>),
    Layer(&'a Layer<T>, usize),
}

impl<'a, T: Real> Source<'a, T> {
    pub fn width(&self) -> usize {
        match self {
            Self::Input(x) => x.width(),
            Self::Layer(_, d) => *d,
        }
    }

    /// `n` rows, made in `scratch` where they don't lie in memory.
    #[inline(always)]
    pub fn rows<'b>(&self, from: usize, n: usize, scratch: &'b mut [T]) -> &'b [T]
    where
        'a: 'b,
    {
        match self {
            Self::Input(x) => x.between(from, from + n),
            Self::Layer(layer, d) => {
                let scratch = &mut scratch[..n * d];
                layer.activated(from, scratch);
                scratch
            }
        }
    }

    /// The memory that [`rows`](Self::rows) reads.
    #[inline(always)]
    pub fn memory(&self, from: usize, n: usize) -> &'a [T] {
        match self {
            Self::Input(x) => x.between(from, from + n),
            Self::Layer(layer, d) => match &layer.end {
                Some(end) => &end.z2[from * d..(from + n) * d],
                None => &[],
            },
        }
    }

    /// `n` rows that [`rows`](Self::rows) has made in `scratch` before.
    pub fn made<'b>(&self, from: usize, n: usize, scratch: &'b [T]) -> &'b [T]
    where
        'a: 'b,
    {
        match self {
            Self::Input(x) => x.between(from, from + n),
            Self::Layer(_, d) => &scratch[..n * d],
        }
    }
}
