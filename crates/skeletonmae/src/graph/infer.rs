//! GCN and GAT encoders in inference: a few frames pass through all layers before the next are looked at.

use std::sync::Arc;

use candle_core::{Result, Tensor, bail};

use super::{Encoder, Layer, Mixing};
use crate::ops::attention::{self, Attention};
use crate::ops::map::{Map, add_leak};
use crate::ops::mix;
use crate::ops::norm::Norm;
use crate::ops::{Real, rows};
use crate::wide;

/// An encoder as it was when it was folded.
#[derive(Clone, Debug)]
pub struct Folded<T> {
    layers: Vec<Step<T>>,
    joints: usize,
    c: usize,
    d: usize,
    /// What the first map's input lacks where that is made of coordinates, having passed the map: (t, v, d).
    constant: Option<Vec<T>>,
}

#[derive(Clone, Debug)]
enum Step<T> {
    /// The norm is folded into the map.
    Gcn {
        mixing: mix::Mixing<T>,
        map: Map<T>,
        slope: T,
    },
    /// The norm stands behind the attention, which reads what the map gives.
    Gat {
        map: Map<T>,
        attention: Arc<Attention>,
        a: Vec<T>,
        norm: Norm<T>,
        slope: T,
    },
}

/// Buffers of the frames under way.
#[derive(Clone, Debug)]
pub struct Scratch<T> {
    x: Vec<T>,
    between: Vec<T>,
    attention: Option<attention::Scratch<T>>,
}

fn values<T: Real>(t: &Tensor) -> Result<Vec<T>> {
    t.to_dtype(T::DTYPE)?.flatten_all()?.to_vec1::<T>()
}

impl Layer {
    fn folded<T: Real>(&self, mixing: &Mixing) -> Result<Step<T>> {
        let Some((norm, prelu)) = &self.ending else {
            bail!("a layer that ends with its map in the encoder");
        };
        let slope = values::<T>(prelu.slope())?[0];
        match (mixing, &self.attention) {
            (Mixing::Gcn(matrix), _) => Ok(Step::Gcn {
                mixing: matrix.plus(T::zero()),
                map: norm.folded(&self.map)?,
                slope,
            }),
            (Mixing::Gat(attention), Some(a)) => {
                let [weight, bias] = norm.parameters();
                let moments = norm.moments(Some(self.map.bias()))?;
                let shift = vec![T::zero(); norm.width()];
                Ok(Step::Gat {
                    map: Map::new(&values::<T>(self.map.weight())?, &shift),
                    attention: attention.clone(),
                    a: values(a)?,
                    norm: Norm::new(&moments, &values::<T>(weight)?, &values::<T>(bias)?),
                    slope,
                })
            }
            (Mixing::Gat(_), None) => bail!("a layer of attention without its parameters"),
        }
    }
}

impl Encoder {
    /// The encoder as it is now, for inference.
    pub(crate) fn folded<T: Real>(&self) -> Result<Folded<T>> {
        let layers = self.layers.iter().map(|layer| layer.folded(&self.mixing));
        let d = self
            .layers
            .first()
            .map_or(0, |layer| layer.map.bias().elem_count());
        Ok(Folded {
            layers: layers.collect::<Result<_>>()?,
            joints: match &self.mixing {
                Mixing::Gcn(matrix) => matrix.len(),
                Mixing::Gat(attention) => attention.joints(),
            },
            c: d,
            d,
            constant: None,
        })
    }
}

impl<T: Real> Folded<T> {
    /// The encoder on `s E^T + o_t`, E (d, c) and o (t, d): it reads s (t, v, c) itself.
    #[must_use]
    pub fn embedded(mut self, e: &[T], o: &[T]) -> Self {
        let (c, d) = (e.len() / self.d, self.d);
        // How much of o reaches a joint: mixing is linear, and attention stands behind the map.
        let (map, sums) = match &mut self.layers[0] {
            Step::Gcn { mixing, map, .. } => (map, mixing.sums()),
            Step::Gat { map, .. } => (map, vec![T::one(); self.joints]),
        };
        let of_o = map.of_rows(o);
        let mut constant = Vec::with_capacity(of_o.len() * sums.len());
        for of_o in of_o.chunks_exact(d) {
            for &sum in &sums {
                let both = of_o.iter().zip(map.shift());
                constant.extend(both.map(|(&o, &shift)| sum * o + shift));
            }
        }
        *map = map.after(e, c);
        (self.c, self.constant) = (c, Some(constant));
        self
    }

    /// d, features of the result.
    pub fn width(&self) -> usize {
        self.d
    }

    /// c, numbers of a joint that it reads.
    pub fn reads(&self) -> usize {
        self.c
    }

    /// Buffers for up to `rows` rows.
    pub fn scratch(&self, rows: usize) -> Scratch<T> {
        let attention = match self.layers.first() {
            Some(Step::Gat { attention, .. }) => Some(attention.scratch()),
            _ => None,
        };
        Scratch {
            x: vec![T::zero(); rows * self.d],
            between: vec![T::zero(); rows * self.d.max(self.c)],
            attention,
        }
    }

    /// The result of whole frames x (rows, c), (rows, d); `row` is where in its track the first of them
    /// stands.
    pub fn frames<'b>(&self, x: &[T], row: usize, scratch: &'b mut Scratch<T>) -> &'b [T] {
        let (n, d, v) = (x.len() / self.c, self.d, self.joints);
        let Scratch {
            x: y,
            between,
            attention: own,
        } = scratch;
        let y = &mut y[..n * d];
        for (i, layer) in self.layers.iter().enumerate() {
            let width = if i == 0 { self.c } else { d };
            let constant = self.constant.as_ref().filter(|_| i == 0);
            let constant = constant.map(|all| &all[row * d..(row + n) * d]);
            match layer {
                Step::Gcn { mixing, map, slope } => {
                    let mixed = &mut between[..n * width];
                    wide!(mixing.apply(if i == 0 { x } else { y }, mixed, width));
                    match constant {
                        None => map.rows(mixed, *slope, y),
                        Some(constant) => {
                            map.product(mixed, y, false);
                            wide!(add_leak(y, constant, *slope));
                        }
                    }
                }
                Step::Gat {
                    map,
                    attention,
                    a,
                    norm,
                    slope,
                } => {
                    let u = &mut between[..n * d];
                    map.product(if i == 0 { x } else { y }, u, false);
                    if let Some(constant) = constant {
                        rows::add(u, constant);
                    }
                    let own = own.get_or_insert_with(|| attention.scratch());
                    wide!({
                        let frames = y.chunks_exact_mut(v * d).zip(u.chunks_exact_mut(v * d));
                        for (y, u) in frames {
                            attention.frame(u, a, y, own);
                            u.copy_from_slice(y);
                            norm.prelu(*slope, u, y);
                        }
                    });
                }
            }
        }
        y
    }
}
