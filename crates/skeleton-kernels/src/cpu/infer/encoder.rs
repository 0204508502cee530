//! An encoder in inference: a few frames pass through all layers before the next ones are looked at, so that nothing but
//! input and result meets the memory.

use std::sync::Arc;

use candle_core::{Result, Tensor, bail};

use super::constant;
use crate::cpu::attention::{self, attend_frame};
use crate::cpu::{Buffer, FoldedLinear, Mixing, Moments, Norm, Real, add_leak, chunks};
use crate::graph::{Attention, JointMatrix};
use crate::params::{Activation, Affine, GinEnd, GinLayer, numbers, slices};
use crate::stats::BatchStats;
use crate::wide;

/// Folded layers.
#[derive(Clone, Debug)]
pub struct Encoder<T> {
    layers: Vec<Layer<T>>,
    joints: usize,
    c: usize,
    /// The constant part of the first map where it differs by frame and joint, (t, v, d).
    constant: Option<Vec<T>>,
}

/// A folded layer.
#[derive(Clone, Debug)]
pub enum Layer<T> {
    /// Joints are mixed, then mapped: GIN, which has a hidden map with ReLU, and GCN.
    Mixed {
        mixing: Mixing<T>,
        hidden: Option<FoldedLinear<T>>,
        map: FoldedLinear<T>,
        slope: T,
    },
    /// The norm stands behind the attention, which reads what the map gives.
    Attended {
        map: FoldedLinear<T>,
        attention: Arc<Attention>,
        a: Vec<T>,
        norm: Norm<T>,
        slope: T,
    },
}

/// Buffers of the frames under way.
#[derive(Debug)]
pub struct Scratch<T: Real> {
    y: Buffer<T>,
    mixed: Buffer<T>,
    hidden: Buffer<T>,
    attention: Option<attention::Scratch<T>>,
}

fn norm<T: Real>(stats: Option<&BatchStats>, end: &Affine<Vec<T>>) -> Result<Norm<T>> {
    let d = end.bias.len();
    match stats {
        Some(stats) if stats.mean.elem_count() == d && stats.variance.elem_count() == d => {
            Ok(Norm::new(&Moments::of_stats(stats)?, &slices(end)))
        }
        _ => bail!("an encoder: statistics of {d} features expected"),
    }
}

impl<T: Real> Layer<T> {
    /// A GIN layer; `stats` are those of its norms.
    ///
    /// # Errors
    /// When they aren't, or a parameter can't be read.
    pub fn gin(
        layer: &GinLayer<Tensor>,
        graph: &JointMatrix,
        stats: &[BatchStats],
    ) -> Result<Self> {
        let p = numbers::<T, _>(layer)?;
        let (map, slope) = match &p.end {
            GinEnd::Bias(bias) => (FoldedLinear::new(&p.second, bias), T::one()),
            GinEnd::Activated(end) => {
                let map = FoldedLinear::folded(&p.second, &norm(stats.get(1), &end.norm)?);
                (map, end.slope[0])
            }
        };
        let hidden = FoldedLinear::folded(&p.first.weight, &norm(stats.first(), &p.first.norm)?);
        Ok(Self::Mixed {
            mixing: Mixing::plus(graph, T::one() + p.eps[0]),
            hidden: Some(hidden),
            map,
            slope,
        })
    }

    /// A GCN layer: `PReLU(norm(M x W^T))`.
    ///
    /// # Errors
    /// As [`gin`](Self::gin).
    pub fn gcn(
        weight: &Tensor,
        end: &Activation<Tensor>,
        matrix: &JointMatrix,
        stats: &BatchStats,
    ) -> Result<Self> {
        let end = numbers::<T, _>(end)?;
        let weight = weight.to_dtype(T::DTYPE)?.flatten_all()?.to_vec1()?;
        Ok(Self::Mixed {
            mixing: Mixing::plus(matrix, T::zero()),
            hidden: None,
            map: FoldedLinear::folded(&weight, &norm(Some(stats), &end.norm)?),
            slope: end.slope[0],
        })
    }

    /// A GAT layer: `PReLU(norm(attend(x W^T)))`.
    ///
    /// # Errors
    /// As [`gin`](Self::gin).
    pub fn gat(
        weight: &Tensor,
        a: &Tensor,
        end: &Activation<Tensor>,
        attention: &Arc<Attention>,
        stats: &BatchStats,
    ) -> Result<Self> {
        let end = numbers::<T, _>(end)?;
        let values = |t: &Tensor| t.to_dtype(T::DTYPE)?.flatten_all()?.to_vec1();
        let no_shift = vec![T::zero(); end.norm.bias.len()];
        Ok(Self::Attended {
            map: FoldedLinear::new(&values(weight)?, &no_shift),
            attention: attention.clone(),
            a: values(a)?,
            norm: norm(Some(stats), &end.norm)?,
            slope: end.slope[0],
        })
    }

    /// The first map, which reads the layer's input, possibly mixed.
    fn first(&mut self) -> &mut FoldedLinear<T> {
        match self {
            Layer::Mixed { hidden, map, .. } => hidden.as_mut().unwrap_or(map),
            Layer::Attended { map, .. } => map,
        }
    }

    /// d, features of the result.
    fn width(&self) -> usize {
        match self {
            Layer::Mixed { map, .. } | Layer::Attended { map, .. } => map.width(),
        }
    }
}

impl<T: Real> Encoder<T> {
    /// Of `layers` on a graph of `joints`; the first reads features.
    ///
    /// # Errors
    /// When there are none.
    pub fn new(layers: Vec<Layer<T>>, joints: usize) -> Result<Self> {
        let mut encoder = Self {
            layers,
            joints,
            c: 0,
            constant: None,
        };
        match encoder.layers.first_mut() {
            Some(layer) => encoder.c = layer.first().reads(),
            None => bail!("an encoder has a layer"),
        }
        Ok(encoder)
    }

    /// The encoder on `s E^T + o_t`, E (d, c) and o (t, d), without making these features: it reads s (t, v,
    /// c) itself. What E comes to is folded into the first map, what o comes to is a constant of each frame
    /// and joint.
    #[must_use]
    pub fn embedded(mut self, e: &[T], o: &[T]) -> Self {
        let (c, joints) = (e.len() / self.c, self.joints);
        let layer = &mut self.layers[0];
        // How much of o reaches a joint: mixing is linear, and attention stands behind the map.
        let sums = match layer {
            Layer::Mixed { mixing, .. } => mixing.sums(),
            Layer::Attended { .. } => vec![T::one(); joints],
        };
        let map = layer.first();
        self.constant = Some(constant(&[(map, &sums)], o, map.shift()));
        *map = map.after(e, c);
        self.c = c;
        self
    }

    /// d, features of the result.
    pub fn width(&self) -> usize {
        self.layers.last().map_or(0, Layer::width)
    }

    /// v, joints.
    pub fn joints(&self) -> usize {
        self.joints
    }

    /// c, numbers of a joint that it reads.
    pub fn reads(&self) -> usize {
        self.c
    }

    /// Buffers for up to `rows` rows.
    pub fn scratch(&self, rows: usize) -> Scratch<T> {
        let widest = self.layers.iter().map(Layer::width).max().unwrap_or(0);
        let hidden = |layer: &Layer<T>| match layer {
            Layer::Mixed { hidden, .. } => hidden.as_ref().map_or(0, FoldedLinear::width),
            Layer::Attended { map, .. } => map.width(),
        };
        let attention = self.layers.iter().find_map(|layer| match layer {
            Layer::Attended { attention, .. } => Some(attention::Scratch::new(attention)),
            Layer::Mixed { .. } => None,
        });
        Scratch {
            y: Buffer::new(rows * widest),
            mixed: Buffer::new(rows * widest.max(self.c)),
            hidden: Buffer::new(rows * self.layers.iter().map(hidden).max().unwrap_or(0)),
            attention,
        }
    }

    /// The result of whole frames x (rows, c), (rows, d); `row` is where in its track the first of them
    /// stands.
    pub fn frames<'b>(&self, x: &[T], row: usize, scratch: &'b mut Scratch<T>) -> &'b [T] {
        let (n, v) = (x.len() / self.c, self.joints);
        let Scratch {
            y,
            mixed: mixed_buffer,
            hidden: hidden_buffer,
            attention: of_attention,
        } = scratch;
        let mut width = self.c;
        // What ends the layer before is done frame by frame, while a frame is near.
        let mut before: Option<(&FoldedLinear<T>, T)> = None;
        for (i, layer) in self.layers.iter().enumerate() {
            let out = n * layer.width();
            match layer {
                Layer::Mixed {
                    mixing,
                    hidden,
                    map,
                    slope,
                } => {
                    let mixed = &mut mixed_buffer[..n * width];
                    match before {
                        None => {
                            let x = if i == 0 { x } else { &y[..n * width] };
                            wide!(mixing.apply(x, mixed, width));
                        }
                        Some((map, slope)) => wide!({
                            let frames = y[..n * width].chunks_exact_mut(v * width);
                            for (y, mixed) in frames.zip(mixed.chunks_exact_mut(v * width)) {
                                map.finish(slope, y);
                                mixing.apply(y, mixed, width);
                            }
                        }),
                    }
                    before = Some((map, *slope));
                    let first = hidden.as_ref().unwrap_or(map);
                    let constant = self.constant_of(i, first.width(), row, n);
                    let Some(first) = hidden else {
                        map.product(mixed, &mut y[..out]);
                        if let Some(constant) = constant {
                            wide!(add_leak(&mut y[..out], constant, *slope));
                            before = None;
                        }
                        width = layer.width();
                        continue;
                    };
                    let a = &mut hidden_buffer[..n * first.width()];
                    match constant {
                        None => first.rows(mixed, T::zero(), a),
                        Some(constant) => {
                            first.product(mixed, a);
                            wide!(add_leak(a, constant, T::zero()));
                        }
                    }
                    map.product(a, &mut y[..out]);
                }
                Layer::Attended {
                    map,
                    attention,
                    a,
                    norm,
                    slope,
                } => {
                    let d = map.width();
                    let u = &mut hidden_buffer[..n * d];
                    map.product(if i == 0 { x } else { &y[..n * width] }, u);
                    if let Some(constant) = self.constant_of(i, d, row, n) {
                        chunks::add(u, constant);
                    }
                    let own =
                        of_attention.get_or_insert_with(|| attention::Scratch::new(attention));
                    wide!({
                        let frames = y[..out]
                            .chunks_exact_mut(v * d)
                            .zip(u.chunks_exact_mut(v * d));
                        for (y, u) in frames {
                            attend_frame(attention, [u, a], y, own);
                            u.copy_from_slice(y);
                            norm.prelu(*slope, u, y);
                        }
                    });
                }
            }
            width = layer.width();
        }
        let y = &mut y[..n * width];
        if let Some((map, slope)) = before {
            wide!(map.finish(slope, y));
        }
        y
    }

    /// The codes of a track x (t, v, c), (t, v, d).
    pub fn track(&self, x: &[T]) -> Vec<T> {
        let rows = chunks::frames_per_chunk(self.joints) * self.joints;
        let mut scratch = self.scratch(rows);
        let mut codes = Vec::with_capacity(x.len() / self.c * self.width());
        for (i, x) in x.chunks(rows * self.c).enumerate() {
            codes.extend_from_slice(self.frames(x, i * rows, &mut scratch));
        }
        codes
    }

    /// The constant part of layer `i`'s first map, which gives d numbers a row: those of `n` rows from `row` on.
    fn constant_of(&self, i: usize, d: usize, row: usize, n: usize) -> Option<&[T]> {
        let constant = self.constant.as_ref().filter(|_| i == 0)?;
        Some(&constant[row * d..(row + n) * d])
    }
}
